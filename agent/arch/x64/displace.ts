/**
 * Moves a function's first instructions elsewhere with Frida's relocator, and verifies the result. Writes only where it is
 * told to.
 */
import { addressOf } from "../../target/address.js";
import { JUMP_SIZE, pushAddress } from "./jumps.js";

/** Room for the relocated instructions, in bytes. */
export const DISPLACED_SIZE = 56;
/** What cannot be relocated: a call pushes its return address, a system call is restarted in place. */
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
      // The relocator's own object turns into another instruction at each step.
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
      // It returns to the original place: unwinders know that one, not this one.
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

/** The target of a direct call; null for any other instruction. */
function calleeOf({ mnemonic, operands: [operand] }: X86Instruction): NativePointer | null {
  return mnemonic === "call" && operand?.type === "imm" ? ptr(operand.value.toString()) : null;
}

/** Whether the code in [from, to) does what `originals` do: verifies the relocator's work. */
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

/** What determines an instruction's meaning. */
type Meaning = Pick<X86Instruction, "mnemonic" | "operands" | "next">;

/** Whether two instructions do the same, each at its own address. Pure. */
export const sameMeaning = (one: Meaning, other: Meaning): boolean =>
  one.mnemonic === other.mnemonic && meaningOf(one) === meaningOf(other);

/** Operands, with rip-relative addresses made absolute. Capstone's branch targets already are. */
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
