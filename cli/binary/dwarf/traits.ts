/**
 * The order of a Rust trait's methods in its vtables, which calls through `dyn` use and no type describes: from the vtables
 * themselves. rustc describes each as a variable `<game::Square as game::Shape>::{vtable}`: drop, size, alignment, then
 * a method for each word.
 */
import { traitOf } from "../../layout/names.js";
import type { TypeNode } from "../../layout/type.js";
import type { Elf } from "../elf.js";
import { AT } from "./constants.js";
import { orNothing } from "./damage.js";
import type { DebugInfo } from "./debug-info.js";
import { Die } from "./die.js";
import { type Lookup, placeOf } from "./lookup.js";
import type { TypeReader } from "./types.js";
import { indexOf } from "./unit-index.js";

const WORD = 8;
/** Words before the first method. */
const HEAD = 3;

interface Vtable {
  readonly at: number;
  /** In bytes. */
  readonly size: number;
}

/** Of the traits that `types` use by `dyn`; without those whose vtables the library does not have, or that do not tell. */
export function traitsIn(
  types: readonly TypeNode[],
  elf: Elf,
  debug: DebugInfo,
  lookup: Lookup,
  reader: TypeReader,
): Map<string, readonly string[]> {
  const wanted = new Set(types.flatMap((node) => (node.kind === "record" ? (traitOf(node.name ?? "") ?? []) : [])));
  const found = new Map<string, readonly string[]>();
  if (wanted.size === 0) return found;
  for (const [trait, vtable] of findVtables(debug)) {
    const methods = wanted.has(trait) ? methodsIn(vtable, elf, lookup, (die) => reader.methodText(die)) : null;
    if (methods !== null) found.set(trait, methods);
  }
  return found;
}

/** By trait, one of each. */
function findVtables(debug: DebugInfo): Map<string, Vtable> {
  const found = new Map<string, Vtable>();
  for (const unit of debug.units)
    for (const offset of orNothing(() => indexOf(debug.whole(unit)).variables)) {
      const die = new Die(debug.whole(unit), offset);
      const trait = / as (.*)>::\{vtable\}$/.exec(die.text(AT.name) ?? "")?.[1];
      const type = die.reference(AT.type);
      const at = placeOf(die);
      if (trait === undefined || type === undefined || at === undefined || found.has(trait)) continue;
      found.set(trait, { at, size: debug.resolve(type).number(AT.byte_size) ?? 0 });
    }
  return found;
}

function methodsIn(
  { at, size }: Vtable,
  elf: Elf,
  lookup: Lookup,
  textOf: (die: Die) => string,
): readonly string[] | null {
  const count = size / WORD - HEAD;
  const first = at + HEAD * WORD;
  const words = new Map(elf.relocations().map(({ offset, addend }) => [offset, addend]));
  const addresses = Array.from({ length: count }, (_, i) => words.get(first + i * WORD));
  const told = addresses.filter((one) => one !== undefined);
  // The optimiser may make one function of two methods: then the order does not show.
  if (new Set(told).size !== told.length) return null;
  const { entries } = lookup.functions(told);
  const methods = addresses.map((address) => {
    const die = address === undefined ? undefined : entries.get(address);
    // A method that `dyn` cannot call has an empty word.
    return address === undefined ? "" : die === undefined ? null : textOf(lookup.origin(die));
  });
  return methods.every((method) => method !== null) ? methods : null;
}
