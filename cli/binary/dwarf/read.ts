/**
 * The layouts that the marks of one build depend on, from its debug information. The door to this folder: everything that
 * is wrong with the debug information ends in a reason, per function and variable, never in an error.
 */
import type { Known, Layouts, Signature, TypeId } from "../../layout/type.js";
import { type Elf, ElfError } from "../elf.js";
import { AT, TAG } from "./constants.js";
import { DwarfError } from "./cursor.js";
import { DebugInfo, type OpenFile } from "./debug-info.js";
import type { Die } from "./die.js";
import { type FoundEntries, Lookup } from "./lookup.js";
import { TypeReader } from "./types.js";
import { indexOf } from "./unit-index.js";

/** Name -> address relative to the load base. */
export type Addresses = ReadonlyMap<string, number>;

/**
 * @param elf the file with the debug information: the library, or its separate debug file
 * @param path of the library
 * @param functions the marked functions
 * @param state the storage of the persistent variables
 * @param open for split debug information
 */
export function readLayouts(elf: Elf, path: string, functions: Addresses, state: Addresses, open: OpenFile): Layouts {
  try {
    const debug = new DebugInfo(elf, path, open);
    const lookup = new Lookup(debug);
    const reader = new TypeReader(debug, lookup);
    const signatures = each(functions, lookup.functions(functions.values()), (die) => signatureOf(die, lookup, reader));
    const variables =
      state.size === 0
        ? new Map<string, Known<TypeId>>()
        : each(state, lookup.variables(state.values()), (die) => variableOf(die, lookup, reader));
    return { types: reader.finish(), functions: signatures, state: variables };
  } catch (error) {
    return nothingKnown(functions.keys(), state.keys(), reasonOf(error));
  }
}

/** Layouts of which nothing is known, for one reason. */
export function nothingKnown(functions: Iterable<string>, state: Iterable<string>, reason: string): Layouts {
  const known = { known: false, reason } as const;
  const all = (names: Iterable<string>) => new Map([...names].map((name) => [name, known]));
  return { types: [{ kind: "void" }], functions: all(functions), state: all(state) };
}

function reasonOf(error: unknown): string {
  if (error instanceof DwarfError || error instanceof ElfError) return error.message;
  throw error;
}

function each<T>(names: Addresses, { entries, problems }: FoundEntries, read: (die: Die) => T): Map<string, Known<T>> {
  const results = new Map<string, Known<T>>();
  const missing = problems.length > 0 ? problems.join("; ") : "it is not in the debug information: build with -g";
  const uses = new Map<number, number>();
  for (const address of names.values()) uses.set(address, (uses.get(address) ?? 0) + 1);
  for (const [name, address] of names) {
    const die = entries.get(address);
    try {
      if (die === undefined) results.set(name, { known: false, reason: missing });
      else if ((uses.get(address) ?? 0) > 1 && !isNamed(die, name)) results.set(name, { known: false, reason: FOLDED });
      else results.set(name, { known: true, value: read(die) });
    } catch (error) {
      results.set(name, { known: false, reason: reasonOf(error) });
    }
  }
  return results;
}

/** Linkers and optimisers give functions of the same code one address; the debug information is that of one of them. */
const FOLDED = "it shares its code with another function";
const isNamed = (die: Die, name: string): boolean => [die.text(AT.linkage_name), die.text(AT.name)].includes(name);

const LINE_TABLES_ONLY = "its debug information holds no types (-g1): build with -g";

function signatureOf(die: Die, lookup: Lookup, reader: TypeReader): Signature {
  const declaration = lookup.origin(die);
  const hasParameters = (one: Die) => [...one.children()].some(({ tag }) => tag === TAG.formal_parameter);
  // gcc's link-time optimisation leaves the parameters at the declaration, when the concrete function lost them.
  const source = hasParameters(die) || !hasParameters(declaration) ? die : declaration;
  const signature = reader.signatureOf(source, declaration);
  const saysNothing = signature.parameters.length === 0 && !die.has(AT.type) && !declaration.has(AT.type);
  if (saysNothing && !indexOf(declaration.unit).hasTypes) throw new DwarfError(LINE_TABLES_ONLY);
  return signature;
}

function variableOf(die: Die, lookup: Lookup, reader: TypeReader): TypeId {
  const source = die.has(AT.type) ? die : lookup.origin(die);
  if (!source.has(AT.type)) throw new DwarfError(LINE_TABLES_ONLY);
  return reader.typeOf(source);
}
