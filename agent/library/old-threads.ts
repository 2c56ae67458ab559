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

/** Threads in code that no new call would run: upper bounds. */
export interface OldThreads {
  /** By function, inside a body other than the one its next call would run. Functions without any are left out. */
  readonly byName: ReadonlyMap<string, number>;
  /** Those inside no such body, but in other code of a generation that does not run: switching does not reach it. */
  readonly elsewhere: number;
}

/** @param stacks for each thread, the addresses within the copies' `ranges` that are its pc or lie on its stack */
export function oldThreads(library: Bodies, stacks: readonly (readonly Address[])[]): OldThreads {
  const byName = new Map<string, number>();
  let elsewhere = 0;
  if (library.copies.ranges.length === 0) return { byName, elsewhere };
  const placeAt = places(library);
  for (const addresses of stacks) {
    const found = addresses.map(placeAt);
    const inside = new Set(found.flatMap((place) => (place.kind === "old body" ? [place.name] : [])));
    for (const name of inside) byName.set(name, (byName.get(name) ?? 0) + 1);
    if (inside.size === 0 && found.some(({ kind }) => kind === "old code")) elsewhere += 1;
  }
  return { byName, elsewhere };
}

/** What an address within the copies belongs to. */
type Place = { readonly kind: "old body"; readonly name: string } | { readonly kind: "old code" | "current" };

function places({ copies, tables, functions }: Bodies): (address: Address) => Place {
  const old = oldStarts({ copies, tables, functions });
  const current = new Set(
    tables.bodiesOf(tables.running, functions.places.length).flatMap((body) => startsOf(body, copies.ranges)),
  );
  const generations = copies
    .all()
    .map(([generation, copy]) => ({ generation, range: rangeOf(copy), starts: copies.startsOf(generation) }));
  return (address) => {
    const found = generations.find(({ range }) => isIn(range, address));
    const start = found?.starts.of(address) ?? null;
    if (found === undefined || start === null) return { kind: "current" };
    const name = functions.places[old.get(start) ?? -1];
    if (name !== undefined) return { kind: "old body", name };
    return { kind: found.generation === tables.running || current.has(start) ? "current" : "old code" };
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
