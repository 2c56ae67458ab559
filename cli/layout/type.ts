/**
 * The vocabulary of data layouts: what a function takes and returns, and every type reachable from there. Plain data,
 * cyclic through ids, independent of where it was read from.
 */

/** Index into {@link Layouts.types}. */
export type TypeId = number;
/** The id of `void` in every list of types. */
export const VOID: TypeId = 0;

/** A member of a record, or a base class subobject. */
export interface Field {
  readonly kind: "field" | "base" | "virtual base";
  /** Null for an anonymous struct or union, and for bases. */
  readonly name: string | null;
  /** Offset in bits from the record's start; null if it is computed at run time (virtual bases). */
  readonly bit: number | null;
  /** Width of a bitfield in bits; null for other members. */
  readonly width: number | null;
  readonly type: TypeId;
}

/** The variants of a Rust enum with data. */
export interface Variants {
  readonly discriminant: Field | null;
  /** `value` null: every discriminant that no other variant has. */
  readonly cases: readonly {
    readonly name: string;
    readonly value: string | null;
    readonly fields: readonly Field[];
  }[];
}

export interface RecordType {
  readonly kind: "record";
  readonly tag: "struct" | "class" | "union" | "enum";
  /** Qualified, a::b::c; null if unnamed. */
  readonly name: string | null;
  /** In bytes. */
  readonly size: number;
  /** In bytes, if given explicitly. */
  readonly align: number | null;
  /** DW_CC_*: 4 if calls pass it by reference although its type is not a reference; otherwise 5, or null if unknown. */
  readonly passing: number | null;
  readonly fields: readonly Field[];
  readonly variants: Variants | null;
  /** Vtable slot -> the virtual function that its own class puts there, as result name(types). */
  readonly virtuals: ReadonlyMap<number, string>;
}

export interface EnumType {
  readonly kind: "enum";
  readonly name: string | null;
  /** In bytes. */
  readonly size: number;
  readonly signed: boolean | null;
  /** Name -> value. */
  readonly constants: ReadonlyMap<string, string>;
  /** A value outside the constants is undefined behaviour (Rust). */
  readonly closed: boolean;
}

export type TypeNode =
  | { readonly kind: "void" }
  /** `encoding`: DW_ATE_*. */
  | { readonly kind: "base"; readonly name: string; readonly size: number; readonly encoding: number }
  | { readonly kind: "pointer"; readonly mark: "*" | "&" | "&&"; readonly to: TypeId }
  | { readonly kind: "member pointer"; readonly to: TypeId; readonly of: TypeId }
  /** Elements in each dimension; null if the type does not say. `vector`: passed in vector registers. */
  | {
      readonly kind: "array";
      readonly of: TypeId;
      readonly counts: readonly (number | null)[];
      readonly vector: boolean;
    }
  | { readonly kind: "function"; readonly signature: Signature }
  | { readonly kind: "atomic"; readonly of: TypeId }
  | EnumType
  | RecordType
  /** Declared but defined nowhere in the library: its code cannot depend on the layout. */
  | { readonly kind: "opaque"; readonly name: string }
  /** A type that is nothing but a name: decltype(nullptr), `!`. */
  | { readonly kind: "named"; readonly name: string }
  /** A type that could not be read, and why: nothing that reaches it is compared. */
  | { readonly kind: "unknown"; readonly name: string; readonly reason: string };

export interface Signature {
  readonly result: TypeId;
  readonly parameters: readonly TypeId[];
  /** Variadic. */
  readonly variadic: boolean;
}

/** What a name refers to, or why that is unknown. */
export type Known<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly reason: string };

/** The layouts that the marks of one build depend on. */
export interface Layouts {
  readonly types: readonly TypeNode[];
  /** By the marked function's name. */
  readonly functions: ReadonlyMap<string, Known<Signature>>;
  /** By the persistent variable's name. */
  readonly state: ReadonlyMap<string, Known<TypeId>>;
}
