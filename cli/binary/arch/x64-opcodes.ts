/**
 * x86-64's opcode maps, as far as lengths and widths depend on them. Source: Intel SDM vol. 2, appendix A; checked against
 * iced-x86 on 1.3 million instructions (docs/decisions/0021-code-by-what-it-refers-to.md).
 */

/** What follows an opcode. */
export const MODRM = 1;
export const IMM8 = 2;
export const IMM16 = 4;
/** 2 bytes with an operand-size prefix, otherwise 4. */
export const IMM = 8;
/** As IMM, but 8 bytes with REX.W. */
export const IMM_FULL = 16;
/** An address of 8 bytes, or 4 with an address-size prefix. */
export const OFFSET = 32;
export const REL8 = 64;
export const REL32 = 128;
export const INVALID = 256;

type Filled = readonly [from: number, to: number, what: number];

function mapOf(otherwise: number, filled: readonly Filled[]): Uint16Array {
  const map = new Uint16Array(256).fill(otherwise);
  for (const [from, to, what] of filled) map.fill(what, from, to + 1);
  return map;
}

const ARITHMETIC: readonly Filled[] = [0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38].flatMap((row): Filled[] => [
  [row, row + 3, MODRM],
  [row + 4, row + 4, IMM8],
  [row + 5, row + 5, IMM],
  [row + 6, row + 7, INVALID],
]);
export const ONE_BYTE = mapOf(0, [
  ...ARITHMETIC,
  [0x60, 0x62, INVALID],
  [0x63, 0x63, MODRM],
  [0x68, 0x68, IMM],
  [0x69, 0x69, MODRM | IMM],
  [0x6a, 0x6a, IMM8],
  [0x6b, 0x6b, MODRM | IMM8],
  [0x70, 0x7f, REL8],
  [0x80, 0x80, MODRM | IMM8],
  [0x81, 0x81, MODRM | IMM],
  [0x82, 0x82, INVALID],
  [0x83, 0x83, MODRM | IMM8],
  [0x84, 0x8f, MODRM],
  [0x9a, 0x9a, INVALID],
  [0xa0, 0xa3, OFFSET],
  [0xa8, 0xa8, IMM8],
  [0xa9, 0xa9, IMM],
  [0xb0, 0xb7, IMM8],
  [0xb8, 0xbf, IMM_FULL],
  [0xc0, 0xc1, MODRM | IMM8],
  [0xc2, 0xc2, IMM16],
  [0xc4, 0xc5, INVALID],
  [0xc6, 0xc6, MODRM | IMM8],
  [0xc7, 0xc7, MODRM | IMM],
  [0xc8, 0xc8, IMM16 | IMM8],
  [0xca, 0xca, IMM16],
  [0xcd, 0xcd, IMM8],
  [0xce, 0xce, INVALID],
  [0xd0, 0xd3, MODRM],
  [0xd4, 0xd6, INVALID],
  [0xd8, 0xdf, MODRM],
  [0xe0, 0xe3, REL8],
  [0xe4, 0xe7, IMM8],
  [0xe8, 0xe9, REL32],
  [0xea, 0xea, INVALID],
  [0xeb, 0xeb, REL8],
  [0xf6, 0xf7, MODRM],
  [0xfe, 0xff, MODRM],
]);
/** After 0f, and in the first map of VEX and EVEX. */
export const TWO_BYTE = mapOf(MODRM, [
  [0x04, 0x04, INVALID],
  [0x05, 0x09, 0],
  [0x0a, 0x0a, INVALID],
  [0x0b, 0x0b, 0],
  [0x0c, 0x0c, INVALID],
  [0x0e, 0x0e, 0],
  [0x0f, 0x0f, MODRM | IMM8],
  [0x24, 0x27, INVALID],
  [0x30, 0x37, 0],
  [0x39, 0x3f, INVALID],
  [0x70, 0x73, MODRM | IMM8],
  [0x77, 0x77, 0],
  [0x80, 0x8f, REL32],
  [0xa0, 0xa2, 0],
  [0xa4, 0xa4, MODRM | IMM8],
  [0xa8, 0xaa, 0],
  [0xac, 0xac, MODRM | IMM8],
  [0xba, 0xba, MODRM | IMM8],
  [0xc2, 0xc2, MODRM | IMM8],
  [0xc4, 0xc6, MODRM | IMM8],
  [0xc8, 0xcf, 0],
]);

/** How wide an operand in memory is, by the opcode after 0f: one, two, as many bytes as a general register. */
export const BYTE = 1;
export const WORD = 2;
export const GENERAL = 3;
/** A number of a vector register, or all of them. */
export const SCALAR = 4;
/** Between a general register and a vector's. */
export const MOVE = 5;
/** Half a vector. */
export const HALF = 6;
/** Comparisons of numbers: the prefix means something else. */
export const COMPARE = 7;
/** Among those that are SCALAR, with half a vector where they are not. */
export const FLOAT_TO_DOUBLE = 8;

/** 0: a whole vector. */
export const WIDTHS = mapOf(0, [
  [0x10, 0x11, SCALAR],
  [0x12, 0x13, HALF],
  [0x16, 0x17, HALF],
  [0x2a, 0x2a, MOVE],
  [0x2c, 0x2d, SCALAR],
  [0x2e, 0x2f, COMPARE],
  [0x40, 0x4f, GENERAL],
  [0x51, 0x5f, SCALAR],
  [0x5a, 0x5a, FLOAT_TO_DOUBLE],
  [0x6e, 0x6e, MOVE],
  [0x7e, 0x7e, MOVE],
  [0x90, 0x9f, BYTE],
  [0xa0, 0xb5, GENERAL],
  [0xb6, 0xb6, BYTE],
  [0xb7, 0xb7, WORD],
  [0xb8, 0xbd, GENERAL],
  [0xbe, 0xbe, BYTE],
  [0xbf, 0xbf, WORD],
  [0xc0, 0xc0, BYTE],
  [0xc1, 0xc1, GENERAL],
  [0xc2, 0xc2, SCALAR],
  [0xc4, 0xc4, WORD],
  [0xd6, 0xd6, HALF],
  [0xe6, 0xe6, FLOAT_TO_DOUBLE],
]);
