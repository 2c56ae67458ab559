/**
 * Lookups in the debug information: functions and variables by address, types by name, names by entry. Reads only the
 * units that may contain the answer.
 */
import { firstFrom } from "../sorted.js";
import { indexedAddress, rangesOf } from "./addresses.js";
import { AT, OP, TAG } from "./constants.js";
import { Cursor } from "./cursor.js";
import { reasonOf } from "./damage.js";
import type { DebugInfo } from "./debug-info.js";
import { Die } from "./die.js";
import type { Unit } from "./unit.js";
import { indexOf, parentOf, type UnitIndex } from "./unit-index.js";

/**
 * gcc describes a function with ms_hook_prologue from after that 8-byte instruction (measured, gcc 12.2): the symbol
 * is at the entry, DW_AT_low_pc here. A mark's first 8 bytes are its entry, so no other function can begin there.
 */
const BEHIND_ENTRY = 8;
/** Deeper nesting of scopes than anybody writes. */
const DEEPEST = 64;

/** Where an entry is. A library has tens of thousands of types: only their positions are kept. */
interface Place {
  readonly unit: Unit;
  readonly offset: number;
}

/** What was found, by address, and why something may be missing. */
export interface FoundEntries {
  readonly entries: ReadonlyMap<number, Die>;
  /** Reasons of units that could not be read: what is missing may be in them. */
  readonly problems: readonly string[];
}

export class Lookup {
  readonly #debug: DebugInfo;
  #definitions: Map<string, Place[]> | null = null;
  #codeless: Map<string, Die | null> | null = null;
  /** By qualified name: what one unit declares, a hundred others may declare too. */
  readonly #defined = new Map<string, Die[]>();

  constructor(debug: DebugInfo) {
    this.#debug = debug;
  }

  /** The entries of the functions whose symbols have these addresses, as far as they exist. */
  functions(addresses: Iterable<number>): FoundEntries {
    const sorted = [...addresses].sort((a, b) => a - b);
    const covers = (unit: Unit): boolean => {
      const ranges = this.#debug.rangesOf(unit);
      return ranges === null || ranges.some(({ start, end }) => holds(sorted, start - BEHIND_ENTRY, end));
    };
    const wanted = new Set(sorted);
    return this.#byAddress(
      wanted,
      covers,
      (index) => index.functions,
      (die) => rangesOf(die).map(({ start }) => (wanted.has(start) ? start : start - BEHIND_ENTRY)),
    );
  }

  /**
   * The entry of a function that is described without its code, because the compiler found another's to be the same. Null
   * if there is none, or more than one of the name. Reads the whole library, once.
   */
  codeless(symbol: string): Die | null {
    this.#codeless ??= this.#indexCodeless();
    return this.#codeless.get(symbol) ?? null;
  }

  #indexCodeless(): Map<string, Die | null> {
    const found = new Map<string, Die | null>();
    for (const unit of this.#debug.everyUnit())
      for (const offset of indexOf(unit).codeless) {
        const die = new Die(unit, offset);
        const origin = this.origin(die);
        const symbol = die.text(AT.linkage_name) ?? origin.text(AT.linkage_name) ?? origin.text(AT.name);
        if (symbol !== undefined) found.set(symbol, found.has(symbol) ? null : die);
      }
    return found;
  }

  /** The entries of the variables at these addresses. */
  variables(addresses: Iterable<number>): FoundEntries {
    return this.#byAddress(
      new Set(addresses),
      () => true,
      (index) => index.variables,
      (die) => [placeOf(die)],
    );
  }

  /** The definitions of a type that is only declared at `die`. Reads the whole library, once. */
  definitionsOf(die: Die): Die[] {
    return this.#definitionsNamed(this.nameOf(die) ?? "", die.text(AT.name) ?? "");
  }

  /** The same by a name without template arguments, a::b::c. */
  definitionsNamed(name: string): Die[] {
    return this.#definitionsNamed(name, name.slice(name.lastIndexOf(":") + 1));
  }

  /** @param last its last component */
  #definitionsNamed(name: string, last: string): Die[] {
    this.#definitions ??= this.#indexDefinitions();
    let found = this.#defined.get(name);
    if (found === undefined) {
      const all = this.#definitions.get(last) ?? [];
      found = all.map(({ unit, offset }) => new Die(unit, offset)).filter((one) => this.nameOf(one) === name);
      this.#defined.set(name, found);
    }
    return found;
  }

  /** The qualified name, a::b::c; null if unnamed. */
  nameOf(die: Die): string | null {
    const parts: string[] = [];
    let at: Die | null = die;
    for (let depth = 0; at !== null && depth < DEEPEST; depth++) {
      const own: Die = this.origin(at);
      const name = own.text(AT.name);
      if (name === undefined && at === die) return null;
      parts.unshift(name ?? (own.tag === TAG.namespace ? "(anonymous namespace)" : "(anonymous)"));
      const parent: number | undefined = parentOf(indexOf(own.unit), own.offset);
      at = parent === undefined ? null : new Die(own.unit, parent);
    }
    return parts.join("::");
  }

  /**
   * Where a function's or variable's declaration is: an entry that names it, with the types that the concrete one
   * lacks.
   */
  origin(die: Die): Die {
    let at = die;
    for (let depth = 0; depth < 4; depth++) {
      const reference = at.reference(AT.abstract_origin) ?? at.reference(AT.specification);
      if (reference === undefined) return at;
      at = this.#debug.resolve(reference);
    }
    return at;
  }

  /**
   * @param mayHold whether a unit may describe one of them
   * @param listOf which entries of a unit may
   * @param addressesOf what an entry is at; none is wanted of those that are nowhere
   */
  #byAddress(
    wanted: ReadonlySet<number>,
    mayHold: (unit: Unit) => boolean,
    listOf: (index: UnitIndex) => readonly number[],
    addressesOf: (die: Die) => readonly (number | undefined)[],
  ): FoundEntries {
    const search = (unit: Unit) => {
      for (const offset of listOf(indexOf(unit))) {
        if (found.size === wanted.size) return;
        const die = new Die(unit, offset);
        for (const address of addressesOf(die))
          if (address !== undefined && wanted.has(address) && !found.has(address)) found.set(address, die);
      }
    };
    const found = new Map<number, Die>();
    const problems = new Set<string>();
    const attempt = <T>(work: () => T, otherwise: T): T => {
      try {
        return work();
      } catch (error) {
        problems.add(reasonOf(error));
        return otherwise;
      }
    };
    for (const unit of this.#debug.units) {
      if (found.size === wanted.size) break;
      if (!attempt(() => mayHold(unit), true)) continue;
      attempt(() => search(this.#debug.whole(unit)), undefined);
    }
    return { entries: found, problems: [...problems] };
  }

  #indexDefinitions(): Map<string, Place[]> {
    const byName = new Map<string, Place[]>();
    for (const unit of this.#debug.everyUnit()) {
      for (const offset of indexOf(unit).definitions) {
        const die = new Die(unit, offset);
        const name = die.flag(AT.declaration) ? undefined : die.text(AT.name);
        if (name === undefined) continue;
        const same = byName.get(name);
        if (same === undefined) byName.set(name, [{ unit, offset }]);
        else same.push({ unit, offset });
      }
    }
    return byName;
  }
}

/** Whether a sorted list has a number in [start, end). */
function holds(sorted: readonly number[], start: number, end: number): boolean {
  return (sorted[firstFrom(sorted, start)] ?? Number.POSITIVE_INFINITY) < end;
}

/** The fixed address of a variable; undefined for one on the stack, in a register or in a thread's storage. */
export function placeOf(die: Die): number | undefined {
  const place = die.block(AT.location);
  if (place === undefined || place.length === 0) return undefined;
  const cursor = new Cursor(place, 1);
  switch (place[0]) {
    case OP.addr: {
      const address = cursor.unsigned(die.unit.addressSize);
      return cursor.at === place.length ? address : undefined;
    }
    case OP.addrx:
    case OP.GNU_addr_index: {
      const index = cursor.uleb();
      return cursor.at === place.length ? indexedAddress(die.unit, index) : undefined;
    }
    default:
      return undefined;
  }
}
