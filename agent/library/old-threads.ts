/** Counts the threads that are inside of bodies which no call would run any more. */
import { ENTRY_SIZE } from "../../schemas/abi.js";
import { functionOf } from "../entries/trampoline.js";
import type { Address } from "../target/address.js";
import { type Copies, isIn, type Range, rangeOf } from "./copies.js";
import type { Functions } from "./functions.js";
import type { Tables } from "./tables.js";

/** What is looked at of a library. */
interface Bodies {
  readonly copies: Copies;
  readonly tables: Tables;
  readonly functions: Functions;
}

/**
 * The number of threads inside a body of each function that is not the one its next call would run: an upper bound,
 * by function name, those with none left out.
 * @param stacks of each thread the addresses within the copies' `ranges` that it executes at or that lie on its stack
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

/** Tells of an address in which function's old body it lies, if in any. */
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

/** Where the bodies begin that are not the running ones, with the places of their functions in the tables. */
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

/** Where a body's function begins by the unwind tables: gcc's begin behind the mark. */
const startsOf = (body: Address, ranges: readonly Range[]): Address[] =>
  ranges.some((range) => isIn(range, body)) ? [body, body - ENTRY_SIZE] : [functionOf(body)];
