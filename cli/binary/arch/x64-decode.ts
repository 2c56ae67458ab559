/**
 * Where x86-64 instructions end, and the distances in them. Not a disassembler: of an operand only what is relative to the
 * instruction is told, and the most bytes that are accessed there. Must not throw: unknown bytes are no instruction.
 * Source: Intel SDM vol. 2, chapter 2 (formats) and appendix A (opcode maps).
 */
import type { Instruction } from "./instruction.js";
import {
  BYTE,
  COMPARE,
  FLOAT_TO_DOUBLE,
  GENERAL,
  HALF,
  IMM,
  IMM_FULL,
  IMM8,
  IMM16,
  INVALID,
  MODRM,
  MOVE,
  OFFSET,
  ONE_BYTE,
  REL8,
  REL32,
  SCALAR,
  TWO_BYTE,
  WIDTHS,
  WORD,
} from "./x64-opcodes.js";

/** The longest instruction that processors take. */
const LONGEST = 15;

/** Opcode maps: one byte, 0f, 0f 38, 0f 3a; beyond them those that only EVEX has. */
const PLAIN = 0;
const SECOND = 1;
const THIRD = 2;
const FOURTH = 3;

/** What precedes an opcode. */
interface Prefixes {
  map: number;
  opcode: number;
  /** Where the opcode is. */
  at: number;
  wide: boolean;
  /** 66 */
  narrow: boolean;
  /** 67 */
  shortAddress: boolean;
  /** f2, f3 or 0 */
  repeat: number;
  /** REX.R and REX.B, as 8 or 0. */
  high: number;
  base: number;
  /** Bytes of a vector; 0: not VEX or EVEX. */
  vector: number;
}

const prefixes: Prefixes = {
  map: PLAIN,
  opcode: 0,
  at: 0,
  wide: false,
  narrow: false,
  shortAddress: false,
  repeat: 0,
  high: 0,
  base: 0,
  vector: 0,
};

/**
 * @param at where in `code`
 * @param into is overwritten
 * @returns false where there is no instruction, or only its beginning
 */
export function decode(code: Buffer, at: number, into: Instruction): boolean {
  if (!readPrefixes(code, at)) return false;
  const { map, opcode, vector } = prefixes;
  const form = formOf(map, opcode, vector > 0);
  if ((form & INVALID) !== 0 || isXop(code)) return false;
  into.kind = "other";
  into.field = into.fieldSize = 0;
  let end = prefixes.at + 1;
  const modRm = (form & MODRM) === 0 ? 0 : (code[end] ?? 0);
  if ((form & MODRM) !== 0) end += operandSize(code, end, modRm);
  const immediate = immediateSize(form, modRm);
  if ((form & MODRM) !== 0 && (modRm & 0xc7) === 0x05) {
    into.field = end - 4 - at;
    into.fieldSize = 4;
  }
  if ((form & (REL8 | REL32)) !== 0) {
    into.kind = "branch";
    into.fieldSize = (form & REL8) !== 0 ? 1 : 4;
    into.field = end - at;
    into.does = branchOf(map, opcode);
  }
  end += immediate;
  if (end > code.length || end - at > LONGEST) return false;
  into.size = end - at;
  into.ends = endsFlow(map, opcode, modRm);
  if (into.fieldSize > 0) refer(code, at, end, modRm, into);
  else if (isEmpty(map, opcode, modRm)) into.kind = "empty";
  return true;
}

function refer(code: Buffer, at: number, end: number, modRm: number, into: Instruction): void {
  const place = at + into.field;
  into.target = end + (into.fieldSize === 1 ? code.readInt8(place) : code.readInt32LE(place));
  if (into.kind === "branch") return;
  const isLea = prefixes.map === PLAIN && prefixes.opcode === 0x8d;
  into.kind = isLea ? "address" : "memory";
  if (isLea) into.register = ((modRm >> 3) & 7) | prefixes.high;
  else into.width = widthOf(modRm);
}

/** @returns false where no opcode follows */
function readPrefixes(code: Buffer, start: number): boolean {
  prefixes.wide = prefixes.narrow = prefixes.shortAddress = false;
  prefixes.repeat = prefixes.high = prefixes.base = prefixes.vector = 0;
  prefixes.map = PLAIN;
  let at = start;
  for (let byte = code[at] ?? 0; LEGACY[byte] === 1; byte = code[++at] ?? 0) setLegacy(byte);
  const byte = code[at] ?? 0;
  if (byte === 0xc4 || byte === 0xc5) return readVector(code, at);
  if (byte === 0x62) return readLongVector(code, at);
  if ((byte & 0xf0) === 0x40) setRex(code[at++] ?? 0);
  return code[at] === 0x0f ? readEscape(code, at + 1) : setOpcode(code, at);
}

function readEscape(code: Buffer, at: number): boolean {
  prefixes.map = code[at] === 0x38 ? THIRD : code[at] === 0x3a ? FOURTH : SECOND;
  return setOpcode(code, prefixes.map === SECOND ? at : at + 1);
}

function setLegacy(byte: number): void {
  if (byte === 0x66) prefixes.narrow = true;
  else if (byte === 0x67) prefixes.shortAddress = true;
  else if (byte >= 0xf2) prefixes.repeat = byte;
}

/** Lock, repeat, segments, operand size and address size. */
const LEGACY = new Uint8Array(256);
for (const prefix of [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]) LEGACY[prefix] = 1;

function setRex(rex: number): void {
  prefixes.wide = (rex & 8) !== 0;
  prefixes.high = (rex & 4) << 1;
  prefixes.base = (rex & 1) << 3;
}

function setOpcode(code: Buffer, at: number): boolean {
  prefixes.at = at;
  prefixes.opcode = code[at] ?? 0;
  return at < code.length;
}

/** AMD's prefix, the first byte of which it shares with pop. */
const isXop = (code: Buffer): boolean =>
  prefixes.map === PLAIN && prefixes.opcode === 0x8f && ((code[prefixes.at + 1] ?? 0) & 0x38) !== 0;

/** The prefix that the two low bits stand for. */
function setImplied(bits: number): void {
  prefixes.narrow = bits === 1;
  prefixes.repeat = bits === 2 ? 0xf3 : bits === 3 ? 0xf2 : 0;
}

function readVector(code: Buffer, at: number): boolean {
  const long = code[at] === 0xc4;
  const last = code[at + (long ? 2 : 1)] ?? 0;
  prefixes.map = long ? (code[at + 1] ?? 0) & 0x1f : SECOND;
  prefixes.wide = long && (last & 0x80) !== 0;
  prefixes.vector = (last & 4) === 0 ? 16 : 32;
  setImplied(last & 3);
  return prefixes.map >= SECOND && prefixes.map <= FOURTH && setOpcode(code, at + (long ? 3 : 2));
}

function readLongVector(code: Buffer, at: number): boolean {
  const [first, second, third] = [code[at + 1] ?? 0, code[at + 2] ?? 0, code[at + 3] ?? 0];
  prefixes.map = first & 7;
  prefixes.wide = (second & 0x80) !== 0;
  prefixes.vector = 16 << ((third >> 5) & 3);
  setImplied(second & 3);
  return prefixes.map >= SECOND && (second & 4) !== 0 && setOpcode(code, at + 4);
}

function formOf(map: number, opcode: number, isVector: boolean): number {
  if (map === PLAIN) return ONE_BYTE[opcode] ?? INVALID;
  if (map === FOURTH) return MODRM | IMM8;
  if (map !== SECOND) return MODRM;
  const form = TWO_BYTE[opcode] ?? INVALID;
  // The vector forms of what are branches and the like elsewhere: mask registers' instructions.
  return isVector && opcode !== 0x77 ? (form & IMM8) | MODRM : form;
}

/** Bytes of ModRM, SIB and displacement. */
function operandSize(code: Buffer, at: number, modRm: number): number {
  const [mod, rm] = [modRm >> 6, modRm & 7];
  if (mod === 3) return 1;
  const sib = rm === 4 ? 1 : 0;
  if (mod === 1) return 2 + sib;
  if (mod === 2) return 5 + sib;
  const isFar = rm === 5 || (sib === 1 && ((code[at + 1] ?? 0) & 7) === 5);
  return 1 + sib + (isFar ? 4 : 0);
}

function immediateSize(form: number, modRm: number): number {
  const { map, opcode } = prefixes;
  // test, among the group's others, which have none.
  const isTest = map === PLAIN && (opcode === 0xf6 || opcode === 0xf7) && (modRm & 0x30) === 0;
  if (isTest) return opcode === 0xf6 ? 1 : operandWidth();
  if (form <= MODRM) return 0;
  const fixed =
    ((form & (IMM8 | REL8)) !== 0 ? 1 : 0) + ((form & IMM16) !== 0 ? 2 : 0) + ((form & REL32) !== 0 ? 4 : 0);
  return fixed + variableSize(form);
}

/** Of what prefixes make longer or shorter. */
function variableSize(form: number): number {
  if ((form & OFFSET) !== 0) return prefixes.shortAddress ? 4 : 8;
  if ((form & IMM_FULL) !== 0 && prefixes.wide) return 8;
  return (form & (IMM | IMM_FULL)) !== 0 ? operandWidth() : 0;
}

const operandWidth = (): number => (prefixes.narrow && !prefixes.wide ? 2 : 4);

const JMP = 0xe9;

/** The long form's opcode; loops and their like have a short one only. */
function branchOf(map: number, opcode: number): number {
  if (map === SECOND) return opcode;
  if ((opcode & 0xf0) === 0x70) return opcode + 0x10;
  return opcode === 0xeb ? JMP : opcode;
}

/** Returns, jumps, and what raises an exception. */
function endsFlow(map: number, opcode: number, modRm: number): boolean {
  if (map === SECOND) return opcode === 0x0b;
  if (map !== PLAIN) return false;
  if (opcode === 0xff) return (modRm & 0x30) === 0x20;
  return opcode === 0xc3 || opcode === 0xc2 || opcode === JMP || opcode === 0xeb || opcode === 0xf4 || opcode === 0xcc;
}

function isEmpty(map: number, opcode: number, modRm: number): boolean {
  if (prefixes.vector > 0) return false;
  if (map === SECOND) return opcode === 0x1f && (modRm & 0x38) === 0;
  return map === PLAIN && opcode === 0x90 && prefixes.base === 0 && prefixes.repeat === 0;
}

/** The most bytes that the current instruction's operand has. */
function widthOf(modRm: number): number {
  const { map, opcode, vector } = prefixes;
  if (map === PLAIN) return plainWidth(opcode, modRm);
  if (map === SECOND) return secondWidth(opcode) ?? (vector || 16);
  return vector || 16;
}

const CALLS_AND_PUSHES = 2;
/** The x87's opcodes d8 to df. */
const FLOATS = [4, 4, 4, 10, 8, 8, 2, 10];

function plainWidth(opcode: number, modRm: number): number {
  const group = (modRm >> 3) & 7;
  if (opcode >= 0xd8 && opcode <= 0xdf) return FLOATS[opcode - 0xd8] ?? 10;
  if (opcode === 0x63) return 4;
  if (opcode === 0x8f || (opcode === 0xff && group >= CALLS_AND_PUSHES)) return 8;
  if ((opcode & 1) === 0 && opcode !== 0x8e && opcode !== 0x8c) return 1;
  return general();
}

/** Of an operand that is as wide as a general register. */
const general = (): number => (prefixes.wide ? 8 : prefixes.narrow ? 2 : 4);

/** Null: a whole vector. */
function secondWidth(opcode: number): number | null {
  const { repeat, narrow, wide } = prefixes;
  switch (WIDTHS[opcode]) {
    case BYTE:
      return 1;
    case WORD:
      return 2;
    case GENERAL:
      return general();
    case SCALAR:
      return scalar();
    case MOVE:
      return wide || (opcode === 0x7e && repeat === 0xf3) ? 8 : 4;
    case HALF:
      return repeat === 0 ? 8 : null;
    case COMPARE:
      return narrow ? 8 : 4;
    case FLOAT_TO_DOUBLE:
      return repeat === 0 && !narrow ? 8 : scalar();
    default:
      return null;
  }
}

/** Of what is one number with a repeat prefix, and a vector without. */
const scalar = (): number | null => (prefixes.repeat === 0xf3 ? 4 : prefixes.repeat === 0xf2 ? 8 : null);

/**
 * Whether the code at `at`, which follows an instruction that took an address into `register`, reads distances of 4 bytes
 * and adds the address to them: a table of places, as compilers write it.
 */
export function addsDistances(code: Buffer, at: number, register: number, into: Instruction): boolean {
  let place = at;
  let isRead = false;
  for (let left = WINDOW; left > 0 && decode(code, place, into) && !into.ends; left--, place += into.size) {
    const modRm = code[prefixes.at + 1] ?? 0;
    if (isRead && isAddition(modRm, register)) return true;
    isRead ||= prefixes.map === PLAIN && prefixes.wide && prefixes.opcode === 0x63 && modRm < 0xc0;
  }
  return false;
}

/** Instructions after a table's address among which its use is looked for. */
const WINDOW = 12;

/** Of two wide registers, one of them this. */
function isAddition(modRm: number, register: number): boolean {
  const { map, opcode, wide, high, base } = prefixes;
  if (map !== PLAIN || !wide || modRm < 0xc0 || (opcode !== 0x01 && opcode !== 0x03)) return false;
  return (((modRm >> 3) & 7) | high) === register || ((modRm & 7) | base) === register;
}
