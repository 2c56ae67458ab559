/** Jumps and thunks as x86-64 encodes them. Pure. */
import type { Address, Word } from "../../target/address.js";

/** Bytes from one thunk to the next: the far form needs 20, rounded up so that no thunk straddles a cache line. */
export const THUNK_SIZE = 32;

/** Bytes of the jump that replaces the first instructions of a function without a mark: e9 rel32. */
export const JUMP_SIZE = 5;

const REACH = 0x7fff0000;
/** The rest of the 2 GB is for the module itself. */
export const NEAR = 0x60000000;

/** Whether a 32-bit displacement reaches from `from` to `to`, allowing for the instruction itself. */
export const inReach = (from: Address, to: Address): boolean => Math.abs(to - from) < REACH;

/** The word that turns an entry into a jump to `thunk`: e9 rel32; 0f 1f 00 (a 3-byte nop). */
export function entryJump(entry: Address, thunk: Address): Word {
  const displacement = (thunk - (entry + 5)) >>> 0;
  return [(0xe9 | (displacement << 8)) >>> 0, (0x001f0f00 | (displacement >>> 24)) >>> 0];
}

/** The thunk an adopted entry jumps to; null if the entry is not a jump. */
export function thunkOf(entry: Address, [low, high]: Word): Address | null {
  if ((low & 0xff) !== 0xe9) return null;
  return entry + 5 + ((low >>> 8) | (high << 24) | 0);
}

/** The jump at the start of a function without a mark. */
export function functionJump(at: Address, thunk: Address): number[] {
  const displacement = (thunk - (at + JUMP_SIZE)) >>> 0;
  return [0xe9, ...[0, 8, 16, 24].map((shift) => (displacement >>> shift) & 0xff)];
}

/** Pushes a return address: followed by a jump, this is a call that returns somewhere else. */
export function pushAddress(address: Address): number[] {
  const bytes = (half: number) => [0, 8, 16, 24].map((shift) => (half >>> shift) & 0xff);
  return [
    ...[0x68, ...bytes(address % 2 ** 32)], // 68 imm32                     push the low half (sign-extended)
    ...[0xc7, 0x44, 0x24, 0x04, ...bytes(Math.floor(address / 2 ** 32))], // mov dword [rsp+4], the high half
  ];
}

/**
 * Writes the jump through the running table into `code`, at `offset`. r11 is scratch at a function's entry in the SysV
 * and Win64 conventions, and the marks (noipa, weak) keep compilers from assuming more about a callee.
 * @param at where the thunk will run
 * @param epoch address of the pointer to the running table
 * @param index the function's place in every table
 */
export function writeThunk(code: DataView, offset: number, at: Address, epoch: Address, index: number): void {
  let o = offset;
  if (inReach(at, epoch)) {
    code.setUint32(o, 0x1d8b4c, true); // 4c 8b 1d disp32           mov r11, [rip + epoch]
    code.setInt32(o + 3, epoch - (at + 7), true);
    o += 7;
  } else {
    code.setUint16(o, 0xbb49, true); // 49 bb imm64                 movabs r11, epoch
    code.setUint32(o + 2, epoch % 2 ** 32, true);
    code.setUint32(o + 6, Math.floor(epoch / 2 ** 32), true);
    code.setUint32(o + 10, 0x1b8b4d, true); // 4d 8b 1b             mov r11, [r11]
    o += 13;
  }
  code.setUint32(o, 0xa3ff41, true); // 41 ff a3 disp32             jmp [r11 + 8 * index]
  code.setInt32(o + 3, index * 8, true);
}
