/** An instruction, as far as it says where it leads and what it refers to. */

/**
 * - `branch`: a call or jump by a distance
 * - `memory`: reads or writes at a distance from itself
 * - `address`: takes the address at a distance from itself
 * - `empty`: does nothing: padding between and inside functions
 */
type InstructionKind = "branch" | "memory" | "address" | "empty" | "other";

/** One object serves for all instructions of a pass: a library has hundreds of thousands. */
export interface Instruction {
  /** In bytes. */
  size: number;
  kind: InstructionKind;
  /** Where its distance is: bytes from its start, and how many. 0 and 0: it has none. */
  field: number;
  fieldSize: number;
  /** Where the distance leads, in the same numbers as the place of the instruction. */
  target: number;
  /** Of a branch: what it does, the same for its short and its long form. */
  does: number;
  /** Of `memory`: at most this many bytes are accessed. */
  width: number;
  /** Whether what follows is not reached from here. */
  ends: boolean;
  /** Of `address`: the register that holds it then. */
  register: number;
}

export const newInstruction = (): Instruction => ({
  size: 0,
  kind: "other",
  field: 0,
  fieldSize: 0,
  target: 0,
  does: 0,
  width: 0,
  ends: false,
  register: 0,
});
