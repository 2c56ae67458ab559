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
  /** Column of its declaration where its type may have attributes that are not described; otherwise null. */
  readonly column: number | null;
}

/** What a template or a generic type was made with. One of the two is null. */
export interface TemplateArgument {
  readonly name: string;
  readonly type: TypeId | null;
  readonly value: string | null;
}

/** A virtual function, without `this`. */
export interface VirtualFunction {
  readonly name: string;
  readonly signature: Signature;
  /** What the signature leaves out: const and volatile, wherever they stand, and the function's own & or &&. */
  readonly qualifiers: string;
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
  /** Vtable slot -> the virtual function that its own class puts there. */
  readonly virtuals: ReadonlyMap<number, VirtualFunction>;
  /** Its own destructor is virtual: two slots of the vtable, which not every compiler numbers. */
  readonly virtualDestructor: boolean;
  /** Of a template's or generic type's instance. */
  readonly parameters: readonly TemplateArgument[];
  /** Rust passes and lays out a struct with one field of a size like this field. */
  readonly rust: boolean;
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
  | {
      readonly kind: "base";
      readonly name: string;
      readonly size: number;
      readonly encoding: number;
      /** DW_END_*: 0 is the machine's own byte order. */
      readonly order: number;
    }
  /** `convention`: of the function it points to, where the pointer says so: extern "C". */
  | { readonly kind: "pointer"; readonly mark: "*" | "&" | "&&"; readonly to: TypeId; readonly convention: string }
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
  /**
   * Declared but described nowhere in the library. `hidden`: how the description can be had, where its code may depend on
   * the layout nevertheless; null where it cannot. `compiler`: whose debug information it is.
   */
  | {
      readonly kind: "opaque";
      readonly name: string;
      readonly hidden: string | null;
      readonly compiler: string;
      /**
       * Of an instance of the implementation's templates: the types of the program's own that its name mentions, which
       * decide what is in it; null if one of them is not described.
       */
      readonly madeWith: readonly TypeId[] | null;
    }
  /** A type that is nothing but a name: decltype(nullptr), `!`. */
  | { readonly kind: "named"; readonly name: string }
  /** A type that could not be read, and why. */
  | { readonly kind: "unknown"; readonly name: string; readonly reason: string };

export interface Signature {
  readonly result: TypeId;
  readonly parameters: readonly TypeId[];
  /** Variadic. */
  readonly variadic: boolean;
  /** As in the source: ms_abi; "" is the platform's own. */
  readonly convention: string;
  /** It passes vectors of more than 16 bytes: in registers or in memory, as options and attributes say. */
  readonly wide: boolean;
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
  /**
   * The named types of the unit that defines a function or persistent variable, which may be used there without a trace in
   * its type. Reads them at the first call, and adds them to `types`; the same list for everything in one unit. Null if
   * they cannot be read, or the debug information is no longer at hand.
   */
  readonly around: (name: string) => readonly TypeId[] | null;
  /** A type by its qualified name, wherever in the build it is described; null if nowhere, or no longer at hand. */
  readonly named: (name: string) => TypeId | null;
  /** The methods, as `type name(types)`, of Rust traits that `types` use by `dyn`, in the order of vtables; missing where no vtable tells. */
  readonly traits: ReadonlyMap<string, readonly string[]>;
  /** Whether a function's code uses nothing but its arguments: it calls nothing, and names no variable. */
  readonly isAlone: (name: string) => boolean;
}
