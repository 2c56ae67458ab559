/**
 * Marked functions whose calls the compiler may have evaluated: a mark keeps it from relying on the body, but constexpr
 * obliges it to (gcc 12 -O2 evaluates every call with constant arguments, clang 14 only where a constant is needed).
 */
import { ENTRY_SIZE, SECTIONS } from "../../schemas/abi.js";
import { describedAt } from "../binary/dwarf/bodies.js";
import type { Elf } from "../binary/elf.js";
import type { Marks } from "../binary/marks.js";
import { ConstexprSources } from "./constexpr.js";

/** Their names. Reads debug information only for inline marks: a constexpr function is always inline. */
export function evaluatedMarks(elf: Elf, { functions, sections }: Marks): string[] {
  const inline = sections.find(({ name }) => name === SECTIONS.inline);
  if (inline === undefined) return [];
  const marks = functions.filter(({ value }) => value >= inline.addr && value < inline.addr + inline.size);
  // gcc describes a marked function from after its entry.
  const described = describedAt(
    elf,
    marks.flatMap(({ value }) => [value, value + ENTRY_SIZE]),
  );
  const sources = new ConstexprSources();
  return marks.flatMap(({ name, value }) =>
    [value, value + ENTRY_SIZE].some((at) => {
      const found = described.get(at);
      return found?.file != null && found.name !== null && sources.declares(found.file, found.name);
    })
      ? [name]
      : [],
  );
}
