/** The architectures whose files can be read. */
import type { Arch } from "./arch.js";
import { x64 } from "./x64.js";

export type { Arch } from "./arch.js";
export { type Instruction, newInstruction } from "./instruction.js";

export const ARCHES: readonly Arch[] = [x64];

/** The one whose marks, by their bytes alone, a file of another format has. */
export const DEFAULT_ARCH = x64;
