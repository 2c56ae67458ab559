/**
 * Owns one pass over a unit's entries: where its functions, variables and types are, and in which scope.
 * Must not decode what it passes: a library of 10 MB has a million entries.
 */
import type { Abbreviation } from "./abbrev.js";
import { AT, TAG } from "./constants.js";
import { Cursor } from "./cursor.js";
import { skipValues } from "./form.js";
import type { Unit } from "./unit.js";

/** Offsets of entries, in their order. */
export interface UnitIndex {
  /** Functions that have code. */
  readonly functions: readonly number[];
  /** Variables with a place. */
  readonly variables: readonly number[];
  /** Named types with their contents. */
  readonly definitions: readonly number[];
  /** Scopes within others, and the one around each. */
  readonly scopes: readonly number[];
  readonly around: readonly number[];
  /** Whether any type is described: the lowest level of debug information leaves them out. */
  readonly hasTypes: boolean;
}

const indexes = new WeakMap<Unit, UnitIndex>();

/** Made at the first call. @throws DwarfError */
export function indexOf(unit: Unit): UnitIndex {
  let index = indexes.get(unit);
  if (index === undefined) {
    index = makeIndex(unit);
    indexes.set(unit, index);
  }
  return index;
}

/** The scope around one; undefined for one at the top. */
export function parentOf({ scopes, around }: UnitIndex, scope: number): number | undefined {
  let [low, high] = [0, scopes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((scopes[middle] ?? 0) < scope) low = middle + 1;
    else high = middle;
  }
  return scopes[low] === scope ? around[low] : undefined;
}

const SCOPES: ReadonlySet<number> = new Set([
  TAG.namespace,
  TAG.structure_type,
  TAG.class_type,
  TAG.union_type,
  TAG.enumeration_type,
  TAG.subprogram,
]);

/** Nine of ten entries have another tag, and are passed at once. */
const LOOKED_AT = new Uint8Array(0x100);
for (const tag of [...SCOPES, TAG.variable, TAG.base_type]) LOOKED_AT[tag] = 1;

const PASSED = { list: null, scope: false, type: false } as const;

/** What an entry of this abbreviation is to the index. */
interface Role {
  readonly list: "functions" | "variables" | "definitions" | null;
  readonly scope: boolean;
  readonly type: boolean;
}

const roles = new WeakMap<Abbreviation, Role>();

function roleOf(abbreviation: Abbreviation): Role {
  let role = roles.get(abbreviation);
  if (role === undefined) {
    const { tag, attributes } = abbreviation;
    const has = (attribute: number) => attributes.includes(attribute);
    const list =
      tag === TAG.subprogram && (has(AT.low_pc) || has(AT.ranges))
        ? "functions"
        : tag === TAG.variable && has(AT.location)
          ? "variables"
          : SCOPES.has(tag) && tag !== TAG.namespace && tag !== TAG.subprogram && has(AT.byte_size)
            ? "definitions"
            : null;
    role = { list, scope: SCOPES.has(tag), type: tag === TAG.base_type || list === "definitions" };
    roles.set(abbreviation, role);
  }
  return role;
}

function makeIndex(unit: Unit): UnitIndex {
  const lists = { functions: [] as number[], variables: [] as number[], definitions: [] as number[] };
  const [scopes, around]: [number[], number[]] = [[], []];
  let hasTypes = false;
  const cursor = new Cursor(unit.info.bytes, unit.first, unit.end);
  const abbreviations = unit.info.abbreviationsOf(unit);
  /** The scope around the current entry, at each depth; 0 where there is none. */
  const path: number[] = [];
  while (cursor.at < unit.end) {
    const offset = cursor.at;
    const code = cursor.uleb();
    if (code === 0) {
      path.pop();
      if (path.length === 0) break; // what follows is padding
      continue;
    }
    const abbreviation = abbreviations.get(code);
    skipValues(cursor, abbreviation, unit);
    const { list, scope, type } = LOOKED_AT[abbreviation.tag] === 1 ? roleOf(abbreviation) : PASSED;
    if (list !== null) lists[list].push(offset);
    if (type) hasTypes = true;
    const parent = path.at(-1) ?? 0;
    if (scope && parent !== 0) {
      scopes.push(offset);
      around.push(parent);
    }
    if (abbreviation.hasChildren) path.push(scope ? offset : parent);
    else if (path.length === 0) break; // a root without children
  }
  return { ...lists, scopes, around, hasTypes };
}
