/**
 * Moves a function's first instructions elsewhere, by Frida's relocator, and looks at its work again. Writes only where it
 * is told to.
 */
import { addressOf } from "../../target/address.js";
import { JUMP_SIZE, pushAddress } from "./jumps.js";

/** Bytes that there is room for. */
export const DISPLACED_SIZE = 56;
/** What does not run elsewhere as it does here: a call leaves its return address, a system call is restarted in place. */
const NOT_MOVED = ["call", "int", "privilege"];

/** See CodeWriter.displace. */
export function displace(at: NativePointer, body: NativePointer): string | null {
  const writer = new X86Writer(body, { pc: body });
  const relocator = new X86Relocator(at, writer);
  try {
    const moved: X86Instruction[] = [];
    let length = 0;
    let called: NativePointer | null = null;
    while (length < JUMP_SIZE && !relocator.eoi) {
      // The relocator's own object is another instruction at each step.
      const instruction = Instruction.parse(at.add(length)) as X86Instruction;
      length = relocator.readOne();
      if (length === 0) return "its first instructions cannot be decoded";
      called = calleeOf(instruction);
      if (called !== null) break; // 5 bytes long, so it ends behind the jump
      if (instruction.groups.some((group) => NOT_MOVED.includes(group)) || instruction.mnemonic === "syscall")
        return `it begins with "${instruction}", which cannot be relocated`;
      moved.push(instruction);
    }
    for (const _ of moved) relocator.writeOne();
    const end = writer.code;
    if (called !== null) {
      // It returns to where it would have: unwinders know that place and not this one.
      writer.putBytes(pushAddress(addressOf(at.add(length))));
      writer.putJmpAddress(called);
    } else if (!relocator.eoi) writer.putJmpAddress(at.add(length));
    writer.flush();
    if (writer.offset > DISPLACED_SIZE) return "its first instructions take too much room when relocated";
    return sameCode(moved, body, end) ? null : `its first instructions (${moved.join("; ")}) cannot be relocated`;
  } finally {
    relocator.dispose();
    writer.dispose();
  }
}

/** Where a direct call leads; null for every other instruction. */
function calleeOf({ mnemonic, operands: [operand] }: X86Instruction): NativePointer | null {
  return mnemonic === "call" && operand?.type === "imm" ? ptr(operand.value.toString()) : null;
}

/** Whether the code in [from, to) does what `originals` do: the relocator's work, looked at again. */
function sameCode(originals: readonly X86Instruction[], from: NativePointer, to: NativePointer): boolean {
  let at = from;
  for (const original of originals) {
    if (at.compare(to) >= 0) return false;
    const moved = Instruction.parse(at) as X86Instruction;
    if (!sameMeaning(original, moved)) return false;
    at = moved.next;
  }
  return at.equals(to);
}

/** What an instruction's meaning hangs on. */
type Meaning = Pick<X86Instruction, "mnemonic" | "operands" | "next">;

/** Whether two instructions, each where it stands, do the same. Pure. */
export const sameMeaning = (one: Meaning, other: Meaning): boolean =>
  one.mnemonic === other.mnemonic && meaningOf(one) === meaningOf(other);

/** Operands, with addresses relative to the instruction made absolute. Capstone gives branch targets absolute already. */
function meaningOf({ operands, next }: Meaning): string {
  return operands
    .map((operand) => {
      if (operand.type !== "mem") return `${operand.type} ${operand.value} ${operand.size}`;
      const { base, index, scale, disp, segment } = operand.value;
      const place = base === "rip" ? next.add(disp).toString() : `${base}+${index}*${scale}+${disp}`;
      return `mem ${segment}:${place} ${operand.size}`;
    })
    .join(", ");
}
