/**
 * Trampolines: the first instructions of a function without a mark, moved elsewhere, because its entry has no bytes to
 * spare. A trampoline is such a function's body: it runs what the jump has displaced and goes on behind it. Writes no
 * code but its own; host-owned and never freed, because a thread may be on its way through it.
 */
import type { RefusedMark, UnmarkedFunction } from "../schemas/agent.js";
import { mapNear, NoRoom } from "./memory.js";
import { type Address, addressOf, PLAIN_JUMP_SIZE, pointerTo, pushAddress } from "./thunk.js";

/** Bytes of a trampoline's place: the address of its function, then code. */
const PLACE = 64;
const HEADER = 8;
/** What does not run elsewhere as it does here: a call leaves its return address, a system call is restarted in place. */
const NOT_MOVED = ["call", "int", "privilege"];

export interface Trampoline {
  readonly name: string;
  /** The function's first byte. */
  readonly entry: Address;
  /** Where the jump is to be written: the entry, or behind its endbr64. */
  readonly at: Address;
  readonly body: Address;
}

export interface Extent {
  readonly base: NativePointer;
  readonly size: number;
}

/** The function that a trampoline's body belongs to. Only for addresses that are such bodies. */
export const functionOf = (body: Address): Address => addressOf(pointerTo(body - HEADER).readPointer());

/** Trampolines for those of `functions` that can have one, and why the others cannot. Nothing leads to them yet. */
export function makeTrampolines(
  module: Extent,
  functions: readonly UnmarkedFunction[],
): { readonly made: readonly Trampoline[]; readonly refused: readonly RefusedMark[] } {
  if (functions.length === 0) return { made: [], refused: [] };
  const base = addressOf(module.base);
  const size = functions.length * PLACE;
  let memory: NativePointer;
  try {
    // What is moved may refer to any of the module's data.
    memory = mapNear(module, [base, base + module.size], size);
  } catch (error) {
    if (!(error instanceof NoRoom)) throw error;
    return { made: [], refused: functions.map(({ name }) => ({ name, code: "entry-unsafe", reason: error.message })) };
  }
  const made: Trampoline[] = [];
  const refused: RefusedMark[] = [];
  for (const [i, fn] of functions.entries()) {
    const place = memory.add(i * PLACE);
    const entry = base + fn.offset;
    place.writePointer(pointerTo(entry));
    const body = place.add(HEADER);
    const at = base + fn.jump;
    const reason =
      fn.plain ?? changed(module.base, fn) ?? branchesBack(module.base, fn) ?? displace(pointerTo(at), body);
    if (reason === null) made.push({ name: fn.name, entry, at, body: addressOf(body) });
    else refused.push({ name: fn.name, code: "entry-unsafe", reason });
  }
  Memory.protect(memory, size, "r-x");
  return { made, refused };
}

/** A debugger's breakpoint, or another tool's jump: it would be moved into the trampoline and stay there. */
function changed(base: NativePointer, { offset, head }: UnmarkedFunction): string | null {
  const bytes = new Uint8Array(base.add(offset).readByteArray(head.length / 2) ?? new ArrayBuffer(0));
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text === head ? null : `its first bytes differ from the file: ${text} in memory, ${head} in the file`;
}

/** Bytes that look like a branch to the first bytes are one if an instruction begins there. */
function branchesBack(base: NativePointer, { suspects, offset }: UnmarkedFunction): string | null {
  for (const { start, at } of suspects)
    if (isInstruction(base.add(start), base.add(at)))
      return `the code at 0x${at.toString(16)} jumps back into its first ${PLAIN_JUMP_SIZE} bytes (at 0x${offset.toString(16)})`;
  return null;
}

function isInstruction(start: NativePointer, wanted: NativePointer): boolean {
  try {
    let at = start;
    while (at.compare(wanted) < 0) at = Instruction.parse(at).next;
    return at.equals(wanted);
  } catch {
    return true; // not decodable: the safe answer
  }
}

/** Moves what the jump at `at` will overwrite to `body`. Why that cannot be, else null. */
function displace(at: NativePointer, body: NativePointer): string | null {
  const writer = new X86Writer(body, { pc: body });
  const relocator = new X86Relocator(at, writer);
  try {
    const moved: X86Instruction[] = [];
    let length = 0;
    let called: NativePointer | null = null;
    while (length < PLAIN_JUMP_SIZE && !relocator.eoi) {
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
    if (writer.offset > PLACE - HEADER) return "its first instructions take too much room when relocated";
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
    if (moved.mnemonic !== original.mnemonic || meaningOf(moved) !== meaningOf(original)) return false;
    at = moved.next;
  }
  return at.equals(to);
}

/** Operands, with addresses relative to the instruction made absolute. Capstone gives branch targets absolute already. */
function meaningOf({ operands, next }: X86Instruction): string {
  return operands
    .map((operand) => {
      if (operand.type !== "mem") return `${operand.type} ${operand.value} ${operand.size}`;
      const { base, index, scale, disp, segment } = operand.value;
      const place = base === "rip" ? next.add(disp).toString() : `${base}+${index}*${scale}+${disp}`;
      return `mem ${segment}:${place} ${operand.size}`;
    })
    .join(", ");
}
