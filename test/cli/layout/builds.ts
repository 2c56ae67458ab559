/** Two builds of all rows at once, and what is said of each row. */
import { readFileSync } from "node:fs";
import type { ExecutionContext } from "ava";
import type { OpenFile } from "../../../cli/binary/dwarf/debug-info.js";
import { readLayouts } from "../../../cli/binary/dwarf/read.js";
import { readElf } from "../../../cli/binary/elf.js";
import { readState } from "../../../cli/binary/state.js";
import { Comparison, type LayoutVerdict } from "../../../cli/layout/compare.js";
import type { Layouts } from "../../../cli/layout/type.js";
import { SHN_UNDEF, STT_FUNC } from "../../../schemas/elf.js";
import type { Kind } from "./kinds.js";

/** For split debug information. */
const openFile: OpenFile = (path) => {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
};

/** All rows of one side as a source file; `HP` marks functions. */
export const sourceOf = (kinds: readonly Kind[], side: "before" | "after", head: string): string =>
  `${head}\n${kinds.map((kind, i) => kind[side].replaceAll("$", String(i))).join("\n")}\n`;

/** Layouts of the functions of a library that match. @param debug the file with the debug information, if it is another */
export function layoutsOf(library: string, functions: RegExp, debug = library): Layouts {
  const elf = readElf(readFileSync(library));
  const wanted = [...elf.symbols(), ...elf.dynamicSymbols()].filter(
    ({ type, name, sectionIndex }) => type === STT_FUNC && sectionIndex !== SHN_UNDEF && functions.test(name),
  );
  const state = new Map(readState(elf).map(({ name, storage }) => [name, [storage]]));
  const addresses = new Map(wanted.map(({ name, value }) => [name, [value]]));
  return readLayouts(readElf(readFileSync(debug)), library, addresses, state, openFile);
}

/** Asserts what is said of every row. */
export function checkKinds(t: ExecutionContext, kinds: readonly Kind[], before: Layouts, after: Layouts): void {
  const comparison = new Comparison(before, after);
  for (const [i, { what, changed, remarked }] of kinds.entries()) {
    const numbered = (texts: readonly string[] | undefined) => texts?.map((text) => text.replaceAll("$", String(i)));
    const verdict = tidied(comparison.function(`f${i}`));
    if (changed !== undefined) {
      t.is(verdict.kind, "changed", `${what}: ${JSON.stringify(verdict)}`);
      if (verdict.kind === "changed") t.deepEqual([...verdict.changes], numbered(changed), what);
    } else if (verdict.kind === "same") {
      t.deepEqual([...verdict.remarks], numbered(remarked) ?? [], what);
      t.deepEqual(verdict.unseen, [], what);
    } else t.fail(`${what}: ${JSON.stringify(verdict)}`);
  }
}

/** Compilers have their own words for the same: gcc says `long int`. */
function tidied(verdict: LayoutVerdict): LayoutVerdict {
  const tidy = (texts: readonly string[]) =>
    texts.map((text) =>
      text
        .replaceAll("long long int", "long long")
        .replaceAll("long int", "long")
        .replaceAll("_Float128", "__float128")
        .replace(/field _vptr\S+: int \(\*\)\((?:\.\.\.)?\)\* at 0/, "the vtable"),
    );
  if (verdict.kind === "unknown") return verdict;
  const remarks = tidy(verdict.remarks);
  return verdict.kind === "same" ? { ...verdict, remarks } : { ...verdict, remarks, changes: tidy(verdict.changes) };
}
