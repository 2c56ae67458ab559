/** Natural edits of a small program. */
export interface Edit {
  readonly what: string;
  /** Text of the program, once in it, and what it becomes. */
  readonly from: string;
  readonly to: string;
  /** More of the same edit. */
  readonly also?: readonly (readonly [from: string, to: string])[];
  /** The marked functions that do something else then, as `inspect` names them without namespaces and arguments. */
  readonly switched: readonly string[];
  /** Where one of them is told for what it reaches. */
  readonly reasons?: Readonly<Record<string, string>>;
  /** Where optimisers fold what is a reference otherwise. */
  readonly optimised?: Pick<Edit, "switched" | "reasons">;
}
