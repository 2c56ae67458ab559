/** x86-64 on any operating system. */
import type { CodeWriter } from "../code-writer.js";
import { DISPLACED_SIZE, displace } from "./displace.js";
import { entryProblem, GCC_ENTRY } from "./entry.js";
import { entryJump, functionJump, inReach, JUMP_SIZE, NEAR, THUNK_SIZE, thunkOf, writeThunk } from "./jumps.js";

export const codeWriter: CodeWriter = {
  thunkSize: THUNK_SIZE,
  jumpSize: JUMP_SIZE,
  displacedSize: DISPLACED_SIZE,
  near: NEAR,
  gccEntry: GCC_ENTRY,
  inReach,
  entryProblem,
  entryJump,
  thunkOf,
  functionJump,
  writeThunk,
  displace,
};
