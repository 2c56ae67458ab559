/**
 * Trampolines: the first instructions of a function without a mark, relocated because its entry has no bytes to spare. A
 * trampoline serves as such a function's body: it runs what the jump displaced and continues after the jump. Writes no code
 * but its own; host-owned and never freed, because a thread may be inside it.
 */
import type { RefusedMark, UnmarkedFunction } from "../../schemas/agent.js";
import { codeWriter } from "../arch/index.js";
import { mapNear, NoRoom } from "../os/index.js";
import { type Address, addressOf, pointerTo } from "../target/address.js";
import type { Extent } from "../target/extent.js";

/** Bytes per trampoline: the address of its function, then code. */
const HEADER = 8;
const PLACE = HEADER + codeWriter.displacedSize;

export interface Trampoline {
  readonly name: string;
  /** The function's first byte. */
  readonly entry: Address;
  /** Where the jump is written: at the entry, or after its endbr64. */
  readonly at: Address;
  readonly body: Address;
}

/** The function that a trampoline belongs to. `body` must be a trampoline's. */
export const functionOf = (body: Address): Address => addressOf(pointerTo(body - HEADER).readPointer());

/** Trampolines for those of `functions` that can have one, and why the others cannot. Not reachable yet. */
export function makeTrampolines(
  module: Extent,
  functions: readonly UnmarkedFunction[],
): { readonly made: readonly Trampoline[]; readonly refused: readonly RefusedMark[] } {
  if (functions.length === 0) return { made: [], refused: [] };
  const base = addressOf(module.base);
  const size = functions.length * PLACE;
  let memory: NativePointer;
  try {
    // Relocated instructions may refer to any of the module's data.
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
      fn.plain ?? changed(module.base, fn) ?? branchesBack(module.base, fn) ?? codeWriter.displace(pointerTo(at), body);
    if (reason === null) made.push({ name: fn.name, entry, at, body: addressOf(body) });
    else refused.push({ name: fn.name, code: "entry-unsafe", reason });
  }
  Memory.protect(memory, size, "r-x");
  return { made, refused };
}

/** Detects a debugger's breakpoint or another tool's jump, which would end up in the trampoline and stay there. */
function changed(base: NativePointer, { offset, head }: UnmarkedFunction): string | null {
  const bytes = new Uint8Array(base.add(offset).readByteArray(head.length / 2) ?? new ArrayBuffer(0));
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text === head ? null : `its first bytes differ from the file: ${text} in memory, ${head} in the file`;
}

/** Whether a suspected branch back to the first bytes is real: it is if an instruction starts there. */
function branchesBack(base: NativePointer, { suspects, offset }: UnmarkedFunction): string | null {
  for (const { start, at } of suspects)
    if (isInstruction(base.add(start), base.add(at)))
      return `the code at 0x${at.toString(16)} jumps back into its first ${codeWriter.jumpSize} bytes (at 0x${offset.toString(16)})`;
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
