/**
 * Whether a function has bodies that its entry does not lead to, so that an edit would not reach all callers: copies in
 * other functions, results known at compile time, an entry that it shares with other functions. Says where.
 */
import { basename } from "node:path";
import { withoutVariant } from "../../schemas/names.js";
import { type Bodies, bodiesAt, type Described, type Inlined } from "../binary/dwarf/bodies.js";
import type { Elf } from "../binary/elf.js";
import type { PlainFunction } from "../binary/functions.js";
import type { BuildIssue } from "./build-flags.js";
import { ConstexprSources } from "./constexpr.js";
import { demangle } from "./demangle.js";

/** Names in one sentence. */
const SHOWN = 3;
const NOINLINE = "declare it noinline (-fno-inline spares only what is not always_inline), or mark it";

/**
 * Null where nothing speaks against a function, also where debug information does not describe it (thunks, for example):
 * whether that may be is for its build flags to say.
 * @param functions all names of each of their entries
 */
export function staleBodies(elf: Elf, functions: readonly PlainFunction[]): (one: PlainFunction) => BuildIssue | null {
  if (functions.length === 0) return () => null;
  const bodies = bodiesAt(elf, new Set(functions.map(({ value }) => value)));
  const sharing = folded(bodies, functions);
  const shown = namesToShow(bodies, sharing);
  const sources = new ConstexprSources();
  return ({ value }) => {
    const described = bodies.at.get(value);
    if (described === undefined || described.names.length === 0) return whyUnseen(bodies);
    return (
      whyFolded(sharing.get(value) ?? [], shown) ??
      whyInlined(described, shown) ??
      whyEvaluated(described, sources) ??
      whyUnseen(bodies)
    );
  };
}

/** Entry -> the different functions that the linker has led to it. An alias is not one of them: it has no body of its own. */
function folded(bodies: Bodies, functions: readonly PlainFunction[]): Map<number, readonly string[]> {
  const symbols = new Map<number, Set<string>>();
  for (const { value, name } of functions) symbols.set(value, (symbols.get(value) ?? new Set()).add(name));
  const isDescribed = (value: number, symbol: string) =>
    bodies.at.get(value)?.names.some((one) => withoutVariant(one) === withoutVariant(symbol)) ?? false;
  const others = [...symbols]
    .filter(([, names]) => names.size > 1)
    .flatMap(([value, names]) => [...names].filter((name) => !isDescribed(value, name)));
  const dropped = bodies.dropped(new Set(others));
  const sharing = new Map<number, readonly string[]>();
  for (const [value, { names }] of bodies.at) {
    const all = new Set([...names, ...[...(symbols.get(value) ?? [])].filter((name) => dropped.has(name))]);
    if (names.length > 0 && all.size > 1) sharing.set(value, [...all]);
  }
  return sharing;
}

/** Symbol -> as people write it, without parameters: all at once, because it takes a process. */
function namesToShow({ at }: Bodies, sharing: ReadonlyMap<number, readonly string[]>): Map<string, string> {
  const holders = [...at.values()].flatMap(({ inlined }) => inlined.map(({ into }) => into));
  const symbols = [...new Set([...holders, ...[...sharing.values()].flat()])];
  const names = demangle(symbols, ["-p"]);
  return new Map(symbols.map((symbol, i) => [symbol, names[i] ?? symbol]));
}

function whyFolded(symbols: readonly string[], shown: ReadonlyMap<string, string>): BuildIssue | null {
  if (symbols.length === 0) return null;
  const names = symbols.map((symbol) => shown.get(symbol) ?? symbol).sort();
  const more = names.length > SHOWN ? [`${names.length - SHOWN} more`] : [];
  return {
    reason: `the linker folded ${[...names.slice(0, SHOWN), ...more].join(" and ")} into one: their callers cannot be told apart`,
    cure: "link without --icf, or mark it",
  };
}

function whyInlined({ inlined, inlinedUntold }: Described, shown: ReadonlyMap<string, string>): BuildIssue | null {
  const [first] = inlined;
  if (first !== undefined) {
    const holders = new Set(inlined.map(({ into }) => into)).size;
    const more = holders > 1 ? ` and ${holders - 1} more` : "";
    const reason = `it is inlined into ${shown.get(first.into) ?? first.into}${placeOf(first)}${more}: the old body stays there`;
    return { reason, cure: NOINLINE };
  }
  if (!inlinedUntold) return null;
  return { reason: "the compiler inlined it, and its debug information does not say where", cure: NOINLINE };
}

const placeOf = ({ file, line }: Inlined): string =>
  file === null || line === null ? "" : ` (${basename(file)}:${line})`;

function whyEvaluated({ file, name }: Described, sources: ConstexprSources): BuildIssue | null {
  if (file === null || name === null || !sources.declares(file, name)) return null;
  return {
    reason: `${basename(file)} declares it constexpr: what the compiler has evaluated stays`,
    cure: "leave out constexpr during development",
  };
}

function whyUnseen({ problem }: Bodies): BuildIssue | null {
  if (problem === null) return null;
  return {
    reason: `where it is inlined cannot be seen: ${problem}`,
    cure: "build with the compiler's own -g, without tools that rewrite it (dwz)",
  };
}
