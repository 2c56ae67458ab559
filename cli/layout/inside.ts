/** What comparing the parts of a record needs, and where it puts what it finds. */
import type { Types } from "./text.js";
import type { TypeId } from "./type.js";

/** How a difference in one place is worded. */
export interface Words {
  readonly change: string;
  readonly remark: string;
  /** What stands there: "field next", "argument 2". */
  readonly at: string;
}

/** Deeper inheritance, or deeper nesting, than anybody writes. */
export const DEEPEST = 64;

/** Compares the types in one place of two builds; adds differences, worded by `words`. */
export interface Inside {
  readonly before: Types;
  readonly after: Types;
  types(before: TypeId, after: TypeId, words: Words): void;
  readonly found: Found;
}

/** What is different: what the data cannot bear, and what they can; and what nobody can tell. */
export interface Found {
  readonly changes: string[];
  readonly remarks: string[];
  readonly unseen: string[];
}
