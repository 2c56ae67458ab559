/**
 * The layouts that the marks of one build depend on, from its debug information. The entry point of this folder:
 * whatever is wrong with the debug information becomes a reason, per function and variable, never an error.
 */

import { withoutVariant } from "../../../schemas/names.js";
import type { Known, Layouts, Signature, TypeId } from "../../layout/type.js";
import type { Elf } from "../elf.js";
import { whileAtHand } from "./at-hand.js";
import { AT, TAG } from "./constants.js";
import { conventionByOptions } from "./conventions.js";
import { DwarfError } from "./cursor.js";
import { reasonOf } from "./damage.js";
import { DebugInfo, type OpenFile } from "./debug-info.js";
import { Die } from "./die.js";
import { type FoundEntries, Lookup } from "./lookup.js";
import { traitsIn } from "./traits.js";
import { TypeReader } from "./types.js";
import type { Unit } from "./unit.js";
import { indexOf } from "./unit-index.js";

/** Name -> addresses, relative to the load base, where the debug information may describe it; the likeliest first. */
export type Places = ReadonlyMap<string, readonly number[]>;

/**
 * @param elf the file with the debug information: the library, or its separate debug file
 * @param path of the library
 * @param functions the marked functions
 * @param state the storage of the persistent variables
 * @param open for split debug information
 */
export function readLayouts(elf: Elf, path: string, functions: Places, state: Places, open: OpenFile): Layouts {
  try {
    const debug = new DebugInfo(elf, path, open);
    const lookup = new Lookup(debug);
    const reader = new TypeReader(debug, lookup);
    const producer = (unit: Unit) => debug.producerOf(unit).text;
    const code = lookup.functions(addressesOf(functions));
    const signatures = each(
      functions,
      code,
      (die) => signatureOf(die, lookup, reader, producer),
      (name) => lookup.codeless(name),
    );
    const data = state.size === 0 ? NOTHING : lookup.variables(addressesOf(state));
    const variables: Map<string, Known<TypeId>> = each(state, data, (die) => variableOf(die, lookup, reader));
    const types = reader.finish();
    const dieOf = (places: Places, { entries }: FoundEntries, name: string) =>
      places.get(name)?.flatMap((address) => entries.get(address) ?? [])[0];
    const atHand = whileAtHand(elf.bytes.buffer.length, {
      named(name: string): TypeId | null {
        const type = reader.named(name);
        reader.finish();
        return type;
      },
      around: (name: string) =>
        surroundings(
          dieOf(functions, code, name) ?? dieOf(state, data, name) ?? lookup.codeless(name),
          debug,
          lookup,
          reader,
        ),
    });
    return {
      types,
      functions: signatures,
      state: variables,
      ...lateReading(atHand),
      traits: traitsIn(types, elf, debug, lookup, reader),
      isAlone: UNTOLD,
    };
  } catch (error) {
    return nothingKnown(functions.keys(), state.keys(), reasonOf(error));
  }
}

type Late = Pick<Layouts, "around" | "named">;

/** Made where nothing else is in reach: what is returned would keep it alive. */
const lateReading = (atHand: () => Late | null): Late => ({
  around: (name) => atHand()?.around(name) ?? null,
  named: (name) => atHand()?.named(name) ?? null,
});

/** Unknown layouts, all for one reason. */
export function nothingKnown(functions: Iterable<string>, state: Iterable<string>, reason: string): Layouts {
  const known = { known: false, reason } as const;
  const all = (names: Iterable<string>) => new Map([...names].map((name) => [name, known]));
  return {
    types: [{ kind: "void" }],
    functions: all(functions),
    state: all(state),
    around: () => [],
    named: () => null,
    traits: new Map(),
    isAlone: UNTOLD,
  };
}

/** The debug information does not say: the code does. */
const UNTOLD = () => false;
const NOTHING: FoundEntries = { entries: new Map(), problems: [] };

const addressesOf = (places: Places): number[] => [...places.values()].flat();

/** @param otherwise finds an entry by name, where none is found by place or that is another's */
function each<T>(
  names: Places,
  { entries, problems }: FoundEntries,
  read: (die: Die) => T,
  otherwise: (name: string) => Die | null = () => null,
): Map<string, Known<T>> {
  const results = new Map<string, Known<T>>();
  const missing = problems.length > 0 ? problems.join("; ") : "it is not in the debug information: build with -g";
  const shared = sharedPlaces(names);
  for (const [name, places] of names) {
    const place = places.find((address) => entries.has(address)) ?? -1;
    const placed = entries.get(place);
    try {
      const isFolded = placed !== undefined && shared.has(place) && !isNamed(placed, name);
      const die = placed === undefined || isFolded ? otherwise(name) : placed;
      if (die === null) results.set(name, { known: false, reason: isFolded ? FOLDED : missing });
      else results.set(name, { known: true, value: read(die) });
    } catch (error) {
      results.set(name, { known: false, reason: reasonOf(error) });
    }
  }
  return results;
}

/** Addresses of several functions; the variants of a C++ constructor or destructor are one. */
function sharedPlaces(names: Places): Set<number> {
  const users = new Map<number, Set<string>>();
  for (const [name, places] of names)
    for (const place of places) users.set(place, (users.get(place) ?? new Set()).add(withoutVariant(name)));
  return new Set([...users].flatMap(([place, users]) => (users.size > 1 ? [place] : [])));
}

/** Linkers and optimisers fold functions with the same code; the debug information describes only one of them. */
const FOLDED = "it shares its code with another function";
const isNamed = (die: Die, name: string): boolean => [die.text(AT.linkage_name), die.text(AT.name)].includes(name);

const inUnit = new WeakMap<Unit, readonly TypeId[]>();

/**
 * The named types of the unit in which the declaration of a function or variable is: of its source file, also after
 * optimisation. Null if they cannot be read.
 */
function surroundings(die: Die | null, debug: DebugInfo, lookup: Lookup, reader: TypeReader): readonly TypeId[] | null {
  if (die === null) return null;
  try {
    const { unit } = lookup.origin(die);
    let types = inUnit.get(unit);
    if (types === undefined) {
      const own = indexOf(unit).definitions.map((offset) => new Die(unit, offset));
      types = [...own, ...debug.typeUnitsFrom(unit)].map((one) => reader.definition(one));
      reader.finish();
      inUnit.set(unit, types);
    }
    return types;
  } catch (error) {
    reasonOf(error); // throws what is no fault of the file's
    return null;
  }
}

const LINE_TABLES_ONLY = "its debug information holds no types (-g1): build with -g";

function signatureOf(die: Die, lookup: Lookup, reader: TypeReader, producer: (unit: Unit) => string): Signature {
  const declaration = lookup.origin(die);
  const hasParameters = (one: Die) => [...one.children()].some(({ tag }) => tag === TAG.formal_parameter);
  // gcc's link-time optimisation leaves the parameters at the declaration if the concrete function lost them, and clones
  // that it specialises have them in another order.
  const isInstance = die.has(AT.abstract_origin) || !hasParameters(die);
  const source = isInstance && hasParameters(declaration) ? declaration : die;
  const signature = reader.signatureOf(source, declaration);
  const saysNothing = signature.parameters.length === 0 && !die.has(AT.type) && !declaration.has(AT.type);
  if (saysNothing && !indexOf(declaration.unit).hasTypes) throw new DwarfError(LINE_TABLES_ONLY);
  const wide = reader.passesWideVectors(source, declaration);
  const byOptions = conventionByOptions(producer(declaration.unit), wide);
  return { ...signature, wide, convention: [signature.convention, byOptions].filter((one) => one !== "").join(" ") };
}

function variableOf(die: Die, lookup: Lookup, reader: TypeReader): TypeId {
  const source = die.has(AT.type) ? die : lookup.origin(die);
  if (!source.has(AT.type)) throw new DwarfError(LINE_TABLES_ONLY);
  return reader.typeOf(source);
}
