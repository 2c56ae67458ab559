/**
 * The words in which data layouts are spoken of: what a function takes and gives, and every type reachable from there.
 * Plain data, cyclic through ids. Knows nothing of where it was read from.
 */

/** Index into {@link Layouts.types}. */
export type TypeId = number;
/** The id of `void` in every list of types. */
export const VOID: TypeId = 0;

/** A member of a record, or the part that a base class is. */
export interface Field {
  readonly kind: "field" | "base" | "virtual base";
  /** Null for an anonymous struct or union, and for bases. */
  readonly name: string | null;
  /** Its place in bits from the record's start; null where it is found at run time (virtual bases). */
  readonly bit: number | null;
  /** Width of a bitfield in bits; null for what is none. */
  readonly width: number | null;
  readonly type: TypeId;
}

/** The alternatives of a Rust enum that holds data. */
export interface Variants {
  readonly discriminant: Field | null;
  /** `value` null: every discriminant that is not another's. */
  readonly cases: readonly {
    readonly name: string;
    readonly value: string | null;
    readonly fields: readonly Field[];
  }[];
}

export interface RecordType {
  readonly kind: "record";
  readonly tag: "struct" | "class" | "union" | "enum";
  /** With its scopes, a::b::c; null for one without a name. */
  readonly name: string | null;
  /** In bytes. */
  readonly size: number;
  /** In bytes, where the author asked for one. */
  readonly align: number | null;
  /** Whether calls pass it by reference although its type is no reference: 4 (DW_CC_*). Else 5, or null where nobody says. */
  readonly passing: number | null;
  readonly fields: readonly Field[];
  readonly variants: Variants | null;
  /** Slot of its vtable -> the virtual function its own class puts there, as result name(types). */
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
  /** Elements in each dimension; null where the type does not say. `vector`: passed in vector registers. */
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
  /** Declared here and defined nowhere in the library: its code cannot depend on the layout. */
  | { readonly kind: "opaque"; readonly name: string }
  /** A type of which a name is all there is: decltype(nullptr), `!`. */
  | { readonly kind: "named"; readonly name: string }
  /** What could not be read, and why: nothing that reaches it has been compared. */
  | { readonly kind: "unknown"; readonly name: string; readonly reason: string };

export interface Signature {
  readonly result: TypeId;
  readonly parameters: readonly TypeId[];
  /** More arguments may follow. */
  readonly variadic: boolean;
}

/** Something a name leads to, or why nothing is known of it. */
export type Known<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly reason: string };

/** The layouts that the marks of one build depend on. */
export interface Layouts {
  readonly types: readonly TypeNode[];
  /** By the marked function's name. */
  readonly functions: ReadonlyMap<string, Known<Signature>>;
  /** By the persistent variable's name. */
  readonly state: ReadonlyMap<string, Known<TypeId>>;
}
