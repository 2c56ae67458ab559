/**
 * Turns type entries into cli/layout's data; reads only what is reachable from what is requested. An entry that cannot
 * be understood becomes an `unknown` type with the reason; nothing is guessed.
 */
import { ownNamesIn } from "../../layout/names.js";
import { type Signature, type TypeId, type TypeNode, type VirtualFunction, VOID } from "../../layout/type.js";
import { AT, LANG_RUST, SIGNED_ENCODINGS, TAG } from "./constants.js";
import { conventionOf, isWideVector, rustConventionOf } from "./conventions.js";
import { DwarfError } from "./cursor.js";
import { reasonOf } from "./damage.js";
import type { DebugInfo } from "./debug-info.js";
import { type Die, rootOf } from "./die.js";
import { whyHidden } from "./hidden.js";
import type { Lookup } from "./lookup.js";
import { isRecordTag, type RecordContext, readRecord } from "./record.js";
import type { InfoSection } from "./unit.js";

/** More types than any library's marks reach; above it the debug information is damaged. */
const MOST_TYPES = 500_000;
/** typedef of typedef of const ... */
const LONGEST_CHAIN = 100;

const TRANSPARENT: ReadonlySet<number> = new Set([
  TAG.const_type,
  TAG.volatile_type,
  TAG.restrict_type,
  TAG.packed_type,
  TAG.immutable_type,
  TAG.typedef,
]);

const QUALIFIERS: ReadonlyMap<number, string> = new Map([
  [TAG.const_type, "c"],
  [TAG.volatile_type, "v"],
  [TAG.pointer_type, "*"],
  [TAG.reference_type, "&"],
  [TAG.rvalue_reference_type, "&&"],
  [TAG.restrict_type, ""],
  [TAG.typedef, ""],
  [TAG.array_type, ""],
]);

/** A declaration whose definition is searched for later. */
interface Declared {
  readonly id: TypeId;
  readonly die: Die;
}

export class TypeReader implements RecordContext {
  readonly #debug: DebugInfo;
  readonly #lookup: Lookup;
  readonly #types: TypeNode[] = [{ kind: "void" }];
  readonly #known = new Map<InfoSection, Map<number, TypeId>>();
  readonly #pending: { readonly id: TypeId; readonly die: Die; readonly alias: string | null }[] = [];
  #declared: Declared[] = [];

  constructor(debug: DebugInfo, lookup: Lookup) {
    this.#debug = debug;
    this.#lookup = lookup;
  }

  /** All types requested so far, and all that they reach. */
  finish(): readonly TypeNode[] {
    while (this.#pending.length > 0 || this.#declared.length > 0) {
      for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop())
        this.#types[next.id] = this.#attempt(next.die, next.alias);
      // Only now, so that a library without any is not read as a whole.
      for (const { id, die } of this.#declared.splice(0)) this.#types[id] = this.#define(die);
    }
    return this.#types;
  }

  /** The type that an entry's DW_AT_type refers to. */
  typeOf(die: Die, attribute: number = AT.type): TypeId {
    let reference = die.reference(attribute);
    let alias: string | null = null;
    for (let length = 0; length < LONGEST_CHAIN; length++) {
      if (reference === undefined) return VOID;
      const target: Die = this.#debug.resolve(reference);
      if (!TRANSPARENT.has(target.tag)) return this.#idOf(target, alias);
      if (target.tag === TAG.typedef) alias ??= this.#lookup.nameOf(target);
      reference = target.reference(AT.type);
    }
    throw new DwarfError("a chain of types is endless");
  }

  nameOf(die: Die): string | null {
    return this.#lookup.nameOf(die);
  }

  /** A function's name, result and types as text, without `this`. */
  prototypeOf(die: Die): string {
    const types: string[] = [];
    for (const child of die.children())
      if (child.tag === TAG.formal_parameter && !child.flag(AT.artificial)) types.push(this.#textOf(child, 0));
    return `${this.#textOf(die, 0)} ${die.text(AT.name) ?? ""}(${types.join(", ")})`;
  }

  /** A Rust method as its trait has it, as text: without the type that implements it. */
  methodText(die: Die): string {
    const [, ...others] = [...die.children()].filter(({ tag }) => tag === TAG.formal_parameter);
    const types = others.map((one) => this.#textOf(one.has(AT.type) ? one : this.#lookup.origin(one), 0));
    return `${this.#textOf(die, 0)} ${die.text(AT.name) ?? ""}(${types.join(", ")})`;
  }

  /** The type of an entry by its names alone: nothing it reaches is read. */
  #textOf(die: Die, depth: number): string {
    const reference = die.reference(AT.type);
    if (reference === undefined) return "void";
    if (depth > LONGEST_CHAIN) throw new DwarfError("a chain of types is endless");
    const target = this.#debug.resolve(reference);
    if (TRANSPARENT.has(target.tag)) return this.#textOf(target, depth + 1);
    const mark = { [TAG.pointer_type]: "*", [TAG.reference_type]: "&", [TAG.rvalue_reference_type]: "&&" }[target.tag];
    return mark === undefined ? (this.nameOf(target) ?? "(anonymous)") : this.#textOf(target, depth + 1) + mark;
  }

  #idOf(die: Die, alias: string | null): TypeId {
    const { info } = die.unit;
    let known = this.#known.get(info);
    if (known === undefined) {
      known = new Map();
      this.#known.set(info, known);
    }
    let id = known.get(die.offset);
    if (id === undefined) {
      id = this.#types.length;
      if (id > MOST_TYPES) throw new DwarfError(`more than ${MOST_TYPES} types are reachable`);
      known.set(die.offset, id);
      this.#types.push({ kind: "void" }); // a placeholder until it is read
      this.#pending.push({ id, die, alias });
    }
    return id;
  }

  #attempt(die: Die, alias: string | null): TypeNode {
    try {
      return this.#read(die, alias);
    } catch (error) {
      return unknown(error, "a type");
    }
  }

  #read(die: Die, alias: string | null): TypeNode {
    const { tag } = die;
    if (isRecordTag(tag) || tag === TAG.enumeration_type) {
      // The rest of a class may be in a type unit, referred to by its signature.
      const elsewhere = die.reference(AT.signature);
      if (elsewhere !== undefined) return this.#read(this.#debug.resolve(elsewhere), alias);
      if (die.flag(AT.declaration)) return this.#declare(die);
      return tag === TAG.enumeration_type ? this.#readEnum(die, alias) : readRecord(die, alias, this);
    }
    switch (tag) {
      case TAG.base_type:
        return {
          kind: "base",
          name: die.text(AT.name) ?? "",
          size: sizeOf(die),
          encoding: die.number(AT.encoding) ?? 0,
          order: die.number(AT.endianity) ?? 0,
        };
      case TAG.pointer_type:
        return { kind: "pointer", mark: "*", to: this.typeOf(die), convention: rustConventionOf(die) };
      case TAG.reference_type:
        return { kind: "pointer", mark: "&", to: this.typeOf(die), convention: "" };
      case TAG.rvalue_reference_type:
        return { kind: "pointer", mark: "&&", to: this.typeOf(die), convention: "" };
      case TAG.ptr_to_member_type:
        return { kind: "member pointer", to: this.typeOf(die), of: this.typeOf(die, AT.containing_type) };
      case TAG.array_type:
        return { kind: "array", of: this.typeOf(die), counts: countsOf(die), vector: die.flag(AT.GNU_vector) };
      case TAG.subroutine_type:
        return { kind: "function", signature: this.signatureOf(die, die) };
      case TAG.atomic_type:
        return { kind: "atomic", of: this.typeOf(die) };
      case TAG.unspecified_type:
        return { kind: "named", name: die.text(AT.name) ?? "" };
      default:
        throw new DwarfError(`a type of the unknown kind 0x${tag.toString(16)}`);
    }
  }

  /**
   * A function's parameters and result.
   * @param die the entry with the parameters
   * @param declaration the one with the result's type: a definition outside its class leaves it to the declaration
   * @param withThis whether with the parameters that the compiler adds
   */
  signatureOf(die: Die, declaration: Die, withThis = true): Signature {
    const parameters: TypeId[] = [];
    let variadic = false;
    for (const child of die.children()) {
      if (child.tag === TAG.unspecified_parameters) variadic = true;
      if (child.tag !== TAG.formal_parameter || (!withThis && child.flag(AT.artificial))) continue;
      parameters.push(this.typeOf(child.has(AT.type) ? child : this.#lookup.origin(child)));
    }
    const result = this.typeOf(die.has(AT.type) ? die : declaration);
    return { result, parameters, variadic, convention: conventionOf(die) || conventionOf(declaration), wide: false };
  }

  /** Whether a function takes or returns, by value, a vector that does not fit an SSE register. */
  passesWideVectors(die: Die, declaration: Die): boolean {
    const parts = [...die.children()].filter(({ tag }) => tag === TAG.formal_parameter);
    return [...parts, die.has(AT.type) ? die : declaration].some((one) => {
      const type = this.#resolved(one.has(AT.type) ? one : this.#lookup.origin(one));
      return type !== undefined && isWideVector(type, this.#resolved(type));
    });
  }

  /** An entry's type behind typedefs and qualifiers. */
  #resolved(die: Die): Die | undefined {
    let reference = die.reference(AT.type);
    for (let length = 0; reference !== undefined && length < LONGEST_CHAIN; length++) {
      const target: Die = this.#debug.resolve(reference);
      if (!TRANSPARENT.has(target.tag)) return target;
      reference = target.reference(AT.type);
    }
    return undefined;
  }

  virtualOf(die: Die): VirtualFunction {
    const qualifiers = [...die.children()]
      .filter(({ tag }) => tag === TAG.formal_parameter)
      .map((one) => this.#qualifiersOf(one, 0).replace(/^[cv]+/, ""));
    const own = die.flag(AT.reference) ? " &" : die.flag(AT.rvalue_reference) ? " &&" : "";
    return {
      name: die.text(AT.name) ?? "",
      signature: this.signatureOf(die, die, false),
      qualifiers: `${[...qualifiers, this.#qualifiersOf(die, 0)].join(", ")}${own}`,
    };
  }

  /** Where const and volatile stand among the pointers of an entry's type: `*c` is a pointer to something constant. */
  #qualifiersOf(die: Die, depth: number): string {
    const reference = die.reference(AT.type);
    if (reference === undefined || depth > LONGEST_CHAIN) return "";
    const target = this.#debug.resolve(reference);
    if (target.tag === TAG.subroutine_type) {
      const all = [target, ...target.children()].filter((one) => one.has(AT.type));
      return `(${all.map((one) => this.#qualifiersOf(one, depth + 10)).join(", ")})`;
    }
    const mark = QUALIFIERS.get(target.tag);
    return mark === undefined ? "" : mark + this.#qualifiersOf(target, depth + 1);
  }

  isFunctionPointer(die: Die): boolean {
    const reference = die.reference(AT.type);
    if (reference === undefined) return false;
    const pointer = this.#debug.resolve(reference);
    const pointee = pointer.tag === TAG.pointer_type ? pointer.reference(AT.type) : undefined;
    return pointee !== undefined && this.#debug.resolve(pointee).tag === TAG.subroutine_type;
  }

  /** A type by its qualified name; null where it is described nowhere, or in several ways. */
  named(name: string): TypeId | null {
    const definitions = this.#lookup.definitionsNamed(name);
    const [first] = definitions;
    return first === undefined || new Set(definitions.map(shapeOf)).size > 1 ? null : this.#idOf(first, null);
  }

  /** A type by its definition. */
  definition(die: Die): TypeId {
    return this.#idOf(die, null);
  }

  #readEnum(die: Die, alias: string | null): TypeNode {
    const constants = new Map<string, string>();
    const underlying = this.#debugType(die);
    const encoding = underlying?.number(AT.encoding);
    let negative = false;
    for (const child of die.children()) {
      if (child.tag !== TAG.enumerator) continue;
      const value = child.integer(AT.const_value);
      const name = child.text(AT.name);
      if (name === undefined || value === undefined) continue;
      if (value < 0n) negative = true;
      constants.set(name, String(value));
    }
    const signed = encoding === undefined ? negative : SIGNED_ENCODINGS.has(encoding);
    const closed = rootOf(die.unit).number(AT.language) === LANG_RUST;
    const name = this.nameOf(die) ?? alias;
    return { kind: "enum", name, size: sizeOf(die), signed, constants, closed };
  }

  /** An enum's underlying integer, if the compiler says. */
  #debugType(die: Die): Die | undefined {
    let at = die;
    for (let length = 0; length < LONGEST_CHAIN; length++) {
      const reference = at.reference(AT.type);
      if (reference === undefined) return at === die ? undefined : at;
      at = this.#debug.resolve(reference);
    }
    return undefined;
  }

  #declare(die: Die): TypeNode {
    const id = this.#known.get(die.unit.info)?.get(die.offset);
    const name = this.nameOf(die) ?? "(anonymous)";
    if (id === undefined) return { kind: "unknown", name, reason: `${name} is only declared` };
    this.#declared.push({ id, die });
    return { kind: "opaque", name, madeWith: null, ...whyHidden(this.#debug.producerOf(die.unit)) };
  }

  /** See `opaque` in cli/layout/type.ts. */
  #partsOf(name: string): TypeId[] | null {
    const definitions = ownNamesIn(name).map((one) => this.#lookup.definitionsNamed(one));
    const parts = definitions.flatMap(([first]) => (first === undefined ? [] : [this.#idOf(first, null)]));
    return parts.length === definitions.length ? parts : null;
  }

  /** Resolves a declared type by its definition in another unit. */
  #define(die: Die): TypeNode {
    const name = this.nameOf(die) ?? "(anonymous)";
    try {
      const definitions = this.#lookup.definitionsOf(die);
      const [first] = definitions;
      if (first === undefined)
        return { kind: "opaque", name, madeWith: this.#partsOf(name), ...whyHidden(this.#debug.producerOf(die.unit)) };
      // Two layouts, or two source locations, are two types of one name: it is unknown which is meant.
      const kinds = new Set(definitions.map(shapeOf));
      if (kinds.size > 1)
        return { kind: "unknown", name, reason: `${name} has ${kinds.size} different definitions in the library` };
      return this.#attempt(first, null);
    } catch (error) {
      return unknown(error, name);
    }
  }
}

/** What tells two definitions of one name apart. */
function shapeOf(die: Die): string {
  const members = [...die.children()].filter(({ tag }) => tag === TAG.member || tag === TAG.inheritance);
  const places = members.map((one) => `${one.text(AT.name)} ${one.number(AT.data_member_location)}`);
  return [sizeOf(die), die.number(AT.decl_line), ...places].join(", ");
}

const unknown = (error: unknown, name: string): TypeNode => ({ kind: "unknown", name, reason: reasonOf(error) });

/** @throws DwarfError without a constant size */
function sizeOf(die: Die): number {
  const size = die.number(AT.byte_size);
  if (size === undefined) throw new DwarfError(`${die.text(AT.name) ?? "a type"} has no fixed size`);
  return size;
}

/** Elements in each dimension. Source: DWARF 5 section 5.13; every language here counts from 0. */
function countsOf(die: Die): (number | null)[] {
  const counts: (number | null)[] = [];
  for (const child of die.children()) {
    if (child.tag === TAG.generic_subrange) throw new DwarfError("an array whose size is computed at run time");
    if (child.tag !== TAG.subrange_type) continue;
    const [count, last] = [child.number(AT.count), child.number(AT.upper_bound)];
    const isOpen = last === undefined || last >= 2 ** 53 || isMinusOne(child, last);
    counts.push(count ?? (isOpen ? null : last + 1));
  }
  return counts;
}

/** `int a[0]` and, by some versions, `int a[]` have the upper bound -1 in a form without a sign. */
function isMinusOne(die: Die, last: number): boolean {
  const width = die.widthOf(AT.upper_bound);
  return last === -1 || (width > 0 && last === 2 ** (8 * width) - 1);
}
