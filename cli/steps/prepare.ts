/**
 * Step: make the copy that a generation loads. Edits a copy of the bytes and writes it under a unique file name. Must
 * never touch the artifact nor ask the target anything: whose definition counts is passed in as `bind`.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  SHN_LORESERVE,
  SHN_UNDEF,
  STB_GNU_UNIQUE,
  STB_LOCAL,
  STT_FUNC,
  STT_GNU_IFUNC,
  STT_NOTYPE,
  STT_OBJECT,
} from "../../schemas/elf.js";
import { copyName } from "../../schemas/names.js";
import type { Elf, ElfRelocation, ElfSymbol } from "../binary/elf.js";
import { FLAG, readMarks } from "../binary/marks.js";

/** A copy's bytes, and what was done to them. */
export interface EditedCopy {
  readonly bytes: Buffer;
  /** Names whose relocations now refer to the copy's own definition, each once. */
  readonly bound: string[];
  /** Names decided by the host or another library: the loader looks them up as before. */
  readonly leftToHost: string[];
  /** Flags set to 1. */
  readonly flags: number;
}

/** The address of a persistent variable's first owner, and its position in the copy's file. */
export interface StatePointer {
  readonly fileOffset: number;
  readonly address: bigint;
}

/**
 * The copy of an artifact: flags set, and its own functions and constants bound to itself. Without the latter, in a
 * host that links the library the copy's calls go back to generation 0 (measured: an edited unmarked helper stayed
 * old). A JUMP_SLOT made RELATIVE is accepted under RTLD_NOW only.
 * @param elf what validateLibrary made of `artifact`
 * @param options.state where the first owners' addresses are written
 * @param options.bind does generation 0 use its own definition of this name? Asked once per name.
 * @throws ElfError for inconsistencies that only the marks reveal
 */
export function editCopy(
  artifact: Buffer,
  elf: Elf,
  options: { readonly bind: (symbolName: string) => boolean; readonly state?: readonly StatePointer[] },
): EditedCopy {
  if (artifact.length !== elf.bytes.length) throw new Error("editCopy: the bytes are not those the elf was read from");
  const { flags } = readMarks(elf);
  const places = [...bindable(elf)];
  const bytes = Buffer.from(artifact);
  for (const place of flags) bytes[place + FLAG.length] = 1;
  for (const { fileOffset, address } of options.state ?? []) bytes.writeBigUInt64LE(address, fileOffset);
  const answers = new Map<string, boolean>();
  for (const { relocation, symbol } of places) {
    let own = answers.get(symbol.name);
    if (own === undefined) {
      own = options.bind(symbol.name);
      answers.set(symbol.name, own);
    }
    if (own) makeRelative(bytes, elf.arch.relocations, relocation, symbol);
  }
  const named = (own: boolean) => [...answers].filter(([, answer]) => answer === own).map(([name]) => name);
  return { bytes, bound: named(true), leftToHost: named(false), flags: flags.length };
}

/** The names `bind` will be asked about, each once, so that the target can be queried for all of them in one call. */
export function bindCandidates(elf: Elf): string[] {
  return [...new Set([...bindable(elf)].map(({ symbol }) => symbol.name))];
}

/** Relocations that may be bound to the copy, with their symbols. */
function* bindable(elf: Elf): Generator<{ relocation: ElfRelocation; symbol: ElfSymbol }> {
  const symbols = elf.dynamicSymbols();
  const { absolute, symbol: addresses } = elf.arch.relocations;
  for (const relocation of elf.relocations()) {
    const { type } = relocation;
    if (type !== absolute && !addresses.includes(type)) continue;
    const symbol = relocation.symbol === 0 ? undefined : symbols[relocation.symbol];
    if (symbol !== undefined && isCopysOwn(elf, symbol)) yield { relocation, symbol };
  }
}

function isDefinedHere(symbol: ElfSymbol): boolean {
  const { bind, name, sectionIndex } = symbol;
  // A local symbol is always the copy's own; a STB_GNU_UNIQUE one is guaranteed to be unique in the whole process.
  if (bind === STB_LOCAL || bind === STB_GNU_UNIQUE || name === "") return false;
  return sectionIndex !== SHN_UNDEF && sectionIndex < SHN_LORESERVE;
}

/**
 * Functions and constants: an exported writable variable is state and stays generation 0's. STT_NOTYPE is treated like
 * an object: assembler labels without .type have it, so a hand-written function in code or constants would otherwise
 * stay old; the linker's own _end and __bss_start lie in writable memory. The value of a STT_GNU_IFUNC symbol is the
 * resolver, which the loader is told to call. TLS values are not addresses, and are left alone like all other types.
 */
function isCopysOwn(elf: Elf, symbol: ElfSymbol): boolean {
  if (!isDefinedHere(symbol) || elf.segmentAt(symbol.value) === null) return false;
  if (symbol.type === STT_FUNC || symbol.type === STT_GNU_IFUNC) return true;
  return (symbol.type === STT_OBJECT || symbol.type === STT_NOTYPE) && !elf.writableAt(symbol.value);
}

/** Elf64_Rela: r_offset stays, r_info becomes {symbol 0, RELATIVE or IRELATIVE}, r_addend the address. */
function makeRelative(
  bytes: Buffer,
  types: Elf["arch"]["relocations"],
  relocation: ElfRelocation,
  symbol: ElfSymbol,
): void {
  const at = relocation.fileOffset;
  const addend = relocation.type === types.absolute ? bytes.readBigInt64LE(at + 16) : 0n;
  bytes.writeUInt32LE(symbol.type === STT_GNU_IFUNC ? types.indirect : types.relative, at + 8);
  bytes.writeUInt32LE(0, at + 12);
  bytes.writeBigInt64LE(BigInt.asIntN(64, BigInt(symbol.value) + addend), at + 16);
}

/**
 * Writes a copy into the private folder; it appears under its name only when complete. Works through the folder's
 * descriptor: under root the folder belongs to the target's user, who could replace it by a link between two calls.
 * @param library path or name of the library it is a generation of
 * @param attempt how many attempts to load this generation have failed: a name is never used twice
 * @returns the copy's path
 * @throws the file system's own error: EEXIST if the name was used before, ENOSPC, EACCES, ELOOP for a link, ...
 */
export async function writeCopy(
  folder: string,
  library: string,
  generation: number,
  attempt: number,
  bytes: Buffer,
): Promise<string> {
  const name = copyName(library, generation, attempt);
  const directory = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const inside = `/proc/self/fd/${directory.fd}`;
  try {
    const { uid, mode } = await directory.stat();
    if ((mode & 0o077) !== 0)
      throw new Error(`${folder} has been opened to others (mode ${(mode & 0o777).toString(8)})`);
    await writeInto(inside, name, bytes, uid);
  } catch (error) {
    if (error instanceof Error) error.message = error.message.replaceAll(inside, folder);
    throw error;
  } finally {
    await directory.close();
  }
  return join(folder, name);
}

async function writeInto(folder: string, name: string, bytes: Buffer, uid: number): Promise<void> {
  const path = join(folder, name);
  const temporary = join(folder, `.${randomBytes(6).toString("hex")}.tmp`);
  // rename() would silently replace an existing name; "wx" claims it or fails, and follows no link.
  await (await open(path, "wx", 0o700)).close();
  try {
    const file = await open(temporary, "wx", 0o700);
    try {
      await file.writeFile(bytes);
      await file.chmod(0o700); // regardless of the umask: the loader must be able to read it
      // Under root the folder belongs to the target's user, who could not open our file.
      if (process.getuid?.() === 0 && uid !== 0) await file.chown(uid, -1);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await Promise.all([temporary, path].map((one) => rm(one, { force: true })));
    throw error;
  }
}
