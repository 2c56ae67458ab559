/**
 * Owns telling code from the padding between functions: zero bytes, int3 and the nops that assemblers and linkers fill
 * with. Must not know which function is where. Source: what GNU as, LLVM and gcc write, as measured below.
 */

/** This many int3 in a row are not an instruction's operand. */
const INT3_RUN = 8;

/**
 * Bytes of a gap after leading padding. Once code has begun, its own nops cannot be told apart, but runs of
 * int3 can: gcc's ms_hook_prologue puts 32 of them before every function (measured, gcc 12).
 */
export function codeIn(gap: Buffer): number {
  let at = 0;
  for (let size = paddingAt(gap, at); size > 0; size = paddingAt(gap, at)) at += size;
  let code = gap.length - at;
  for (let run = 0; at < gap.length; at++) {
    run = gap[at] === 0xcc ? run + 1 : 0;
    if (run === INT3_RUN) code -= run;
    else if (run > INT3_RUN) code--;
  }
  return code;
}

/**
 * Length of the zero byte, int3 or nop at a place, or 0. The long forms are 0f 1f with a displacement of zero, after any
 * any number of 66 and 2e prefixes (what GNU as and LLVM fill with); clang's entry has the displacement 0x200, so it is
 */
export function paddingAt(gap: Buffer, start: number): number {
  const first = gap[start];
  if (first === 0x00 || first === 0xcc) return 1;
  let at = start;
  while (gap[at] === 0x66 || gap[at] === 0x2e) at++;
  if (gap[at] === 0x90) return at + 1 - start;
  if (gap[at] !== 0x0f || gap[at + 1] !== 0x1f) return 0;
  // ModRM 00, 40, 44, 80, 84: no displacement, or 1 or 4 bytes of it, with a SIB byte in 44 and 84.
  const tail = { 0: 0, 64: 1, 68: 2, 128: 4, 132: 5 }[gap[at + 2] ?? -1];
  if (tail === undefined || at + 3 + tail > gap.length) return 0;
  return gap.subarray(at + 3, at + 3 + tail).every((byte) => byte === 0) ? at + 3 + tail - start : 0;
}
