/**
 * x86-64. Source: Intel SDM vol. 2 (opcodes), psABI 1.0 table 4.9 (relocations); for padding and entries what GNU as, LLVM
 * and gcc write, as measured below.
 */
import { ENTRY_NOPS, R_X86_64 } from "../../../schemas/abi.js";
import type { Arch, OnRelative } from "./arch.js";
import { addsDistances, decode } from "./x64-decode.js";

const EM_X86_64 = 62;
const IMAGE_FILE_MACHINE_AMD64 = 0x8664;
const ENDBR64 = Buffer.from("f30f1efa", "hex");
const JMP = 0xe9;
/** Bytes of `jmp rel32`. */
const JMP_SIZE = 5;
const LEA = 0x8d;
const NOP = 0x90;
const INT3 = 0xcc;
/** This many int3 in a row are not an instruction's operand. */
const INT3_RUN = 8;

/**
 * The 8 bytes a marked function begins with, written in one store when it is adopted.
 * gcc: ms_hook_prologue, `lea 0x0(%rsp),%rsp`. clang: patchable_function_entry(8,0), `nopl 0x200(%rax,%rax,1)`, and the
 * Rust stub's. The third, `nopl 0x0(%rax,%rax,1)`, is the 8-byte nop of newer LLVM and of GNU as (*not tested* here).
 * CET, measured with gcc 12.2 and clang 14 at -fcf-protection=none, branch and full, -O0 and -O2: gcc puts its endbr64
 * (f3 0f 1e fa) AFTER these 8 bytes, at byte 8, so the entry is the same; clang puts it BEFORE them unless the function
 * is nocf_check, which the header sets: an entry that starts with endbr64 is therefore a mark without nocf_check.
 */
const MARKED_ENTRIES: Arch["markedEntries"] = [
  { kind: "gcc", bytes: Buffer.from(ENTRY_NOPS.gcc, "hex") },
  { kind: "clang", bytes: Buffer.from(ENTRY_NOPS.clang, "hex") },
  { kind: "clang", bytes: Buffer.from(ENTRY_NOPS.assembler, "hex") },
];

export const x64: Arch = {
  name: "x86-64",
  elfMachine: EM_X86_64,
  peMachine: IMAGE_FILE_MACHINE_AMD64,
  relocations: {
    none: R_X86_64.NONE,
    absolute: R_X86_64.ABS64,
    symbol: [R_X86_64.GLOB_DAT, R_X86_64.JUMP_SLOT],
    relative: R_X86_64.RELATIVE,
    indirect: R_X86_64.IRELATIVE,
    copy: R_X86_64.COPY,
    threadModule: R_X86_64.DTPMOD64,
    threadPlaces: [R_X86_64.DTPOFF64, R_X86_64.TPOFF64, R_X86_64.TLSDESC],
  },
  markedEntries: MARKED_ENTRIES,
  templateEntry: Buffer.from(ENTRY_NOPS.gcc, "hex"),
  jumpSize: JMP_SIZE,
  landingPad: (code) => (code.subarray(0, ENDBR64.length).equals(ENDBR64) ? ENDBR64.length : 0),
  jumpTarget(code, at) {
    if (at + JMP_SIZE > code.length || code[at] !== JMP) return null;
    return at + JMP_SIZE + code.readInt32LE(at + 1);
  },
  eachRelative,
  reachesOut,
  decode,
  addsDistances,
  isCall: (does) => does === CALL,
  paddingAt,
  codeIn,
};

/** Bytes of a jmp, jcc, loop or `lea reg, [rip + disp32]`, which end in a distance; 0 for anything else. */
function sizeOfRelative(code: Buffer, at: number): 0 | 2 | 5 | 6 {
  const [byte, next] = [code[at] ?? 0, code[at + 1] ?? 0];
  if ((byte & 0xf0) === 0x70 || byte === 0xeb || (byte & 0xfc) === 0xe0) return 2;
  if (byte === JMP) return 5;
  if (byte === 0x0f && (next & 0xf0) === 0x80) return 6;
  return byte === LEA && at > 0 && (next & 0xc7) === 0x05 ? 6 : 0;
}

function eachRelative(code: Buffer, found: OnRelative): void {
  for (let at = 0; at < code.length - 1; at++) {
    const size = sizeOfRelative(code, at);
    const end = at + size;
    if (size === 0 || end > code.length) continue;
    const target = end + (size === 2 ? code.readInt8(end - 1) : code.readInt32LE(end - 4));
    found(code[at] === LEA ? "address" : "branch", at, target);
  }
}

const CALL = 0xe8;
const GROUP_5 = 0xff;

/** A call, a jump out of the function, a jump to what a register holds, or an operand relative to rip or a segment. */
function reachesOut(code: Buffer): boolean {
  let out = false;
  eachRelative(code, (kind, _, target) => {
    if (kind === "address" || target < 0 || target >= code.length) out = true;
  });
  return out || code.some((byte, at) => byte === CALL || isIndirect(byte, code[at + 1] ?? 0) || isFarOperand(byte));
}

/** call and jmp, near and far, through a register or memory: /2 to /5. */
const isIndirect = (byte: number, next: number): boolean =>
  byte === GROUP_5 && (next & 0x30) !== 0x30 && next >> 4 !== 0x0;
/** ModRM of `[rip + disp32]`, and the SIB byte of an absolute address, as after a segment prefix. */
const isFarOperand = (byte: number): boolean => (byte & 0xc7) === 0x05 || byte === 0x25;

/**
 * The zero byte, int3 or a nop. The long forms are 0f 1f with a displacement of zero, after any number of 66 and 2e prefixes
 * (what GNU as and LLVM fill with); clang's entry has the displacement 0x200, so it is code.
 */
function paddingAt(gap: Buffer, start: number): number {
  const first = gap[start];
  if (first === 0x00 || first === INT3) return 1;
  let at = start;
  while (gap[at] === 0x66 || gap[at] === 0x2e) at++;
  if (gap[at] === NOP) return at + 1 - start;
  if (gap[at] !== 0x0f || gap[at + 1] !== 0x1f) return 0;
  // ModRM 00, 40, 44, 80, 84: no displacement, or 1 or 4 bytes of it, with a SIB byte in 44 and 84.
  const tail = { 0: 0, 64: 1, 68: 2, 128: 4, 132: 5 }[gap[at + 2] ?? -1];
  if (tail === undefined || at + 3 + tail > gap.length) return 0;
  return gap.subarray(at + 3, at + 3 + tail).every((byte) => byte === 0) ? at + 3 + tail - start : 0;
}

/**
 * After leading padding. Once code has begun, its own nops cannot be told apart, but runs of int3 can: gcc's
 * ms_hook_prologue puts 32 of them before every function (measured, gcc 12).
 */
function codeIn(gap: Buffer): number {
  let at = 0;
  for (let size = paddingAt(gap, at); size > 0; size = paddingAt(gap, at)) at += size;
  let code = gap.length - at;
  for (let run = 0; at < gap.length; at++) {
    run = gap[at] === INT3 ? run + 1 : 0;
    if (run === INT3_RUN) code -= run;
    else if (run > INT3_RUN) code--;
  }
  return code;
}
