/** Counts the threads still inside bodies that no new call would run. */
import { ENTRY_SIZE } from "../../schemas/abi.js";
import { functionOf } from "../entries/trampoline.js";
import type { Address } from "../target/address.js";
import { type Copies, isIn, type Range, rangeOf } from "./copies.js";
import type { Functions } from "./functions.js";
import type { Tables } from "./tables.js";

/** The parts of a library that are needed here. */
interface Bodies {
  readonly copies: Copies;
  readonly tables: Tables;
  readonly functions: Functions;
}

/**
 * For each function, by name, the number of threads inside a body other than the one its next call would run: an upper
 * bound. Functions without any are left out.
 * @param stacks for each thread, the addresses within the copies' `ranges` that are its pc or lie on its stack
 */
export function oldThreads(library: Bodies, stacks: readonly (readonly Address[])[]): Map<string, number> {
  const counts = new Map<string, number>();
  if (library.copies.ranges.length === 0) return counts;
  const nameAt = oldFunctions(library);
  for (const addresses of stacks) {
    const inside = new Set(addresses.map(nameAt).filter((name) => name !== undefined));
    for (const name of inside) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** Maps an address to the function whose old body contains it, if any. */
function oldFunctions({ copies, tables, functions }: Bodies): (address: Address) => string | undefined {
  const old = oldStarts({ copies, tables, functions });
  const places = copies
    .all()
    .map(([generation, copy]) => ({ range: rangeOf(copy), starts: copies.startsOf(generation) }));
  return (address) => {
    const start = places.find(({ range }) => isIn(range, address))?.starts.of(address) ?? null;
    return start === null ? undefined : functions.places[old.get(start) ?? -1];
  };
}

/** The start addresses of all bodies that are not running, with the table indices of their functions. */
function oldStarts({ copies, tables, functions }: Bodies): Map<Address, number> {
  const count = functions.places.length;
  const running = tables.bodiesOf(tables.running, count);
  const { ranges } = copies;
  const starts = new Map<Address, number>();
  for (const [generation] of copies.all())
    for (const [i, body] of tables.bodiesOf(generation, count).entries())
      if (body !== running[i]) for (const start of startsOf(body, ranges)) starts.set(start, i);
  return starts;
}

/** Where a body's function may start according to the unwind tables: gcc's start after the mark. */
const startsOf = (body: Address, ranges: readonly Range[]): Address[] =>
  ranges.some((range) => isIn(range, body)) ? [body, body - ENTRY_SIZE] : [functionOf(body)];
