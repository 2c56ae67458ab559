/**
 * One pass over a unit's entries: where its functions, variables and types are, and in which scope. Must not decode
 * what it skips: a 10 MB library has a million entries.
 */
import { firstFrom } from "../sorted.js";
import type { Abbreviation } from "./abbrev.js";
import { AT, FORM, TAG } from "./constants.js";
import { Cursor } from "./cursor.js";
import { skipValues } from "./form.js";
import type { Unit } from "./unit.js";

/** Offsets of entries, in order. */
export interface UnitIndex {
  /** Functions that have code. */
  readonly functions: readonly number[];
  /** Functions that are described without their code: inlined ones, and those whose code another one's stands for. */
  readonly codeless: readonly number[];
  /** Variables with a location. */
  readonly variables: readonly number[];
  /** Named types with their contents. */
  readonly definitions: readonly number[];
  /** Entries that refer to types in type units. */
  readonly signed: readonly number[];
  /** Nested scopes, each with its enclosing one. */
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

/** The enclosing scope; undefined at the top level. */
export function parentOf({ scopes, around }: UnitIndex, scope: number): number | undefined {
  const at = firstFrom(scopes, scope);
  return scopes[at] === scope ? around[at] : undefined;
}

/** Types that have names and contents. */
const TYPES: ReadonlySet<number> = new Set([TAG.structure_type, TAG.class_type, TAG.union_type, TAG.enumeration_type]);
const SCOPES: ReadonlySet<number> = new Set([TAG.namespace, TAG.subprogram, ...TYPES]);

/** Nine of ten entries have another tag, and are skipped. */
const LOOKED_AT = new Uint8Array(0x100);
for (const tag of [...SCOPES, TAG.variable, TAG.base_type]) LOOKED_AT[tag] = 1;

/** What an entry with this abbreviation means to the index. */
interface Role {
  readonly list: "functions" | "codeless" | "variables" | "definitions" | null;
  readonly scope: boolean;
  readonly type: boolean;
  readonly signed: boolean;
}

const PASSED: Role = { list: null, scope: false, type: false, signed: false };

const roles = new WeakMap<Abbreviation, Role>();

function roleOf(abbreviation: Abbreviation): Role {
  const signed = abbreviation.forms.includes(FORM.ref_sig8);
  if (LOOKED_AT[abbreviation.tag] !== 1 && !signed) return PASSED;
  let role = roles.get(abbreviation);
  if (role === undefined) {
    const { tag } = abbreviation;
    const list = listOf(abbreviation);
    role = { list, scope: SCOPES.has(tag), type: tag === TAG.base_type || list === "definitions", signed };
    roles.set(abbreviation, role);
  }
  return role;
}

function listOf({ tag, attributes }: Abbreviation): Role["list"] {
  const has = (attribute: number) => attributes.includes(attribute);
  if (tag === TAG.subprogram && (has(AT.low_pc) || has(AT.ranges))) return "functions";
  if (tag === TAG.subprogram) return has(AT.declaration) || has(AT.abstract_origin) ? null : "codeless";
  if (tag === TAG.variable) return has(AT.location) ? "variables" : null;
  return TYPES.has(tag) && has(AT.byte_size) ? "definitions" : null;
}

/** An index in the making. */
class Index implements UnitIndex {
  readonly functions: number[] = [];
  readonly codeless: number[] = [];
  readonly variables: number[] = [];
  readonly definitions: number[] = [];
  readonly signed: number[] = [];
  readonly scopes: number[] = [];
  readonly around: number[] = [];
  hasTypes = false;

  /** @param parent the scope around the entry at `offset`; 0 where there is none */
  add(offset: number, { list, scope, type, signed }: Role, parent: number): void {
    if (list !== null) this[list].push(offset);
    if (signed) this.signed.push(offset);
    if (type) this.hasTypes = true;
    if (scope && parent !== 0) {
      this.scopes.push(offset);
      this.around.push(parent);
    }
  }
}

function makeIndex(unit: Unit): UnitIndex {
  const index = new Index();
  const cursor = new Cursor(unit.info.bytes, unit.first, unit.end);
  const abbreviations = unit.info.abbreviationsOf(unit);
  /** The enclosing scope at each depth; 0 if there is none. */
  const path: number[] = [];
  // Behind the end of the root is padding.
  for (let more = unit.first < unit.end; more; more = path.length > 0 && cursor.at < unit.end) {
    const offset = cursor.at;
    const code = cursor.uleb();
    if (code === 0) {
      path.pop();
      continue;
    }
    const abbreviation = abbreviations.get(code);
    skipValues(cursor, abbreviation, unit);
    const role = roleOf(abbreviation);
    const parent = path.at(-1) ?? 0;
    if (role !== PASSED) index.add(offset, role, parent);
    if (abbreviation.hasChildren) path.push(role.scope ? offset : parent);
  }
  return index;
}
