/**
 * Which unmarked functions are switched too, and why others that were requested are not. Runs c++filt, nothing else.
 */
import type { RefusedMark } from "../../schemas/agent.js";
import { tellApart } from "../../schemas/names.js";
import { type Compiled, compiledIn } from "../binary/dwarf/producers.js";
import type { Elf } from "../binary/elf.js";
import { type IncomingBranches, incomingBranches, type PlainFunction, plainFunctions } from "../binary/functions.js";
import type { Marks } from "../binary/marks.js";
import { firstAbove } from "../binary/sorted.js";
import { type Choice, NO_CHOICE } from "../steps/inspect.js";
import { type BuildIssue, whyUntrusted } from "./build-flags.js";
import { demangle } from "./demangle.js";
import { drawnIn, ofEntries, type Refusal, withAllNames } from "./entry-names.js";
import { staleBodies } from "./stale.js";

/** Selects by name in one library after another. Caches demangled names, which recur in every build. */
export class Chooser {
  readonly #globs: readonly RegExp[];
  readonly #demangled = new Map<string, readonly string[]>();

  /** @param globs `*` stands for any characters, `?` for one; matched against whole names */
  constructor(globs: readonly string[]) {
    this.#globs = globs.map(globToRegExp);
  }

  /** Whether anything was requested. */
  get asked(): boolean {
    return this.#globs.length > 0;
  }

  /**
   * @param known unmarked functions of earlier generations, selected whatever the globs say
   * @param unpatchable functions that generation 0 cannot provide, which are left to the library itself
   */
  choose(
    elf: Elf,
    marks: Marks,
    known: ReadonlySet<string>,
    unpatchable: ReadonlyMap<string, RefusedMark> = new Map(),
  ): Choice {
    if (!this.asked && known.size === 0) return NO_CHOICE;
    const { unique, ambiguous, requested } = this.#select(elf, marks, known);
    const branchesInto = branchesOf(elf, unique);
    const buildIssues = buildIssuesOf(elf, marks, unique);
    const functions: Choice["functions"][number][] = [];
    const refused: RefusedMark[] = [];
    for (const [name, twins] of ambiguous)
      refused.push({ name, code: "ambiguous-name", reason: `${twins.length} functions have this name` });
    for (const [name, one] of unique) {
      if (unpatchable.has(name)) continue;
      const branches = branchesInto(one);
      const buildIssue = buildIssues.get(name) ?? null;
      const entryIssue = entryIssueOf(elf.arch.jumpSize, one, branches?.certain ?? null);
      const refusal = buildIssue ?? entryIssue;
      if (refusal !== null && (buildIssue !== null || !known.has(name))) {
        refused.push({ name, ...refusal });
        continue;
      }
      const { value: offset, jump, head, size } = one;
      const plain = entryIssue?.reason ?? null;
      functions.push({ name, offset, jump, head, size, plain, suspects: [...(branches?.suspects ?? [])] });
    }
    return { functions, refused, drawnIn: drawnIn(functions, requested) };
  }

  /** Every function without a mark that a glob means, whether it can be patched or not: for judging, not for a session. */
  every(elf: Elf, marks: Marks): Choice {
    const { unique } = this.#select(elf, marks, new Set());
    const functions = [...unique].map(([name, { value: offset, jump, head, size }]) => ({
      name,
      offset,
      jump,
      head,
      size,
      plain: null,
      suspects: [],
    }));
    return { ...NO_CHOICE, functions };
  }

  /** By the names that generations are matched by; `requested`: those that a glob means. */
  #select(elf: Elf, marks: Marks, known: ReadonlySet<string>) {
    const all = plainFunctions(elf, new Set(marks.functions.map((one) => one.value)));
    const matches = this.#matcher(all);
    const asked = withAllNames(
      all,
      (one) => matches(one) || known.has(one.name) || known.has(`${one.name} [${one.file}]`),
    );
    const whole = new Set(asked.filter((one) => !one.clone).map((one) => one.name));
    const { unique, ambiguous } = tellApart(asked.filter((one) => !one.clone || !whole.has(one.name)));
    const requested = new Set([...unique].filter(([, one]) => matches(one)).map(([name]) => name));
    return { unique, ambiguous, requested };
  }

  /** Matches the symbol, the name without compiler suffixes, and the demangled name with and without parameters. */
  #matcher(functions: readonly PlainFunction[]): (one: PlainFunction) => boolean {
    if (!this.asked) return () => false;
    const fresh = [...new Set(functions.map((one) => one.name))].filter((name) => !this.#demangled.has(name));
    const [full, short] = [demangle(fresh), demangle(fresh, ["-p"])];
    fresh.forEach((name, i) => {
      this.#demangled.set(name, [full[i] ?? name, short[i] ?? name]);
    });
    return ({ name, symbol }) =>
      this.#globs.some((glob) => [symbol, name, ...(this.#demangled.get(name) ?? [])].some((one) => glob.test(one)));
  }
}

const globToRegExp = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
    "s",
  );

type Named = ReadonlyMap<string, PlainFunction>;

/** Once for each entry: all its names are targeted by the same branches. */
function branchesOf(elf: Elf, functions: Named): (one: PlainFunction) => IncomingBranches | undefined {
  const entries = new Map([...functions.values()].map((one) => [one.value, one]));
  const incoming = incomingBranches(elf, [...entries.values()]);
  return ({ value }) => {
    const first = entries.get(value);
    return first === undefined ? undefined : incoming.get(first);
  };
}

/** Why functions must not be switched, by name. */
function buildIssuesOf(elf: Elf, marks: Marks, functions: Named): Map<string, Refusal> {
  const marked = new Set(marks.functions.map((one) => one.name));
  const compiledOf = compiledAt(elf);
  const lines = commandLines(elf);
  const stale = staleBodies(elf, [...functions.values()]);
  return ofEntries(functions, (one) =>
    buildIssueOf(one, marked, whyUntrusted(compiledOf(one.value), one.replaceable, lines) ?? stale(one)),
  );
}

/** Why a switch of this function would mislead: some callers would not follow, or it would be another function. */
function buildIssueOf(one: PlainFunction, marked: ReadonlySet<string>, buildIssue: BuildIssue | null): Refusal | null {
  if (marked.has(one.name)) return { code: "ambiguous-name", reason: "a marked function has the same name" };
  if (buildIssue !== null) return { code: "untrusted-build", ...buildIssue };
  if (!one.clone) return null;
  const reason = "the compiler kept only a clone of it, with different arguments";
  return { code: "untrusted-build", reason, cure: "mark it" };
}

/** Why no jump fits at its start. A later generation of it can still be switched to. */
function entryIssueOf(jumpSize: number, one: PlainFunction, branch: string | null): Refusal | null {
  const needed = one.jump - one.value + jumpSize;
  if (one.room < needed)
    return {
      code: "entry-too-small",
      reason: `it has ${one.room} bytes including the padding after it, and the jump takes ${needed}`,
    };
  return branch === null ? null : { code: "entry-unsafe", reason: branch };
}

/** The source file that an address belongs to. */
function compiledAt(elf: Elf): (address: number) => Compiled | null {
  const ranges = compiledIn(elf)
    .flatMap((compiled) => compiled.ranges.map((range) => ({ ...range, compiled })))
    .filter(({ start, end }) => end > start && start > 0)
    .sort((a, b) => a.start - b.start);
  const starts = ranges.map(({ start }) => start);
  return (address) => {
    const found = ranges[firstAbove(starts, address) - 1];
    return found !== undefined && address < found.end ? found.compiled : null;
  };
}

function commandLines(elf: Elf): string[] {
  const section = elf.sections.find((one) => one.name === ".GCC.command.line");
  return section === undefined
    ? []
    : elf
        .contentsOf(section)
        .toString("utf8")
        .split("\0")
        .filter((line) => line !== "");
}
