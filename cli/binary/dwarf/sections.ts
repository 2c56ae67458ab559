/**
 * The debug sections of one ELF file, decompressed on demand.
 * Source: gABI "Compressed sections" (Elf64_Chdr: type, reserved, size, align); .zdebug_* is "ZLIB" and a big-endian
 * size.
 */
import * as zlib from "node:zlib";
import { ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD, SHF_COMPRESSED, SHT_NOBITS } from "../../../schemas/elf.js";
import type { Elf, ElfSection } from "../elf.js";
import { DwarfError } from "./cursor.js";

const CHDR_SIZE = 24;
/** Debug information compresses to a third or a tenth; a claim to grow more than this is bogus. */
const MOST_GROWTH = 64;
/** Bytes. Small sections may compress better: a table of zeros. */
const SMALL = 2 ** 20;

export type SectionName =
  | "info"
  | "types"
  | "abbrev"
  | "str"
  | "line_str"
  | "str_offsets"
  | "addr"
  | "line"
  | "ranges"
  | "rnglists"
  | "cu_index"
  | "tu_index";

const NOTHING = Buffer.alloc(0);

/** zstd came to node:zlib with 22.15 and 23.8. */
const zstd = (zlib as { zstdDecompressSync?: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer })
  .zstdDecompressSync;

/** Debug sections by their names. */
export interface Sections {
  /** Whether a section exists and is not empty. */
  has(name: SectionName): boolean;
  /** A section's bytes; empty if there is no such section. @throws DwarfError, ElfError if they cannot be read */
  get(name: SectionName): Buffer;
  /** The bytes of each section of this name: objects that were not linked have one per type unit. */
  every(name: SectionName): Buffer[];
}

export class DebugSections implements Sections {
  readonly #elf: Elf;
  readonly #suffix: string;
  readonly #known = new Map<SectionName, Buffer>();

  /** @param suffix "" or ".dwo" */
  constructor(elf: Elf, suffix: "" | ".dwo" = "") {
    this.#elf = elf;
    this.#suffix = suffix;
  }

  has(name: SectionName): boolean {
    const section = this.#find(name);
    return section !== undefined && section.type !== SHT_NOBITS && section.size > 0;
  }

  get(name: SectionName): Buffer {
    let bytes = this.#known.get(name);
    if (bytes === undefined) {
      const section = this.#find(name);
      bytes = section === undefined ? NOTHING : decompressed(section, this.#elf.contentsOf(section));
      this.#known.set(name, bytes);
    }
    return bytes;
  }

  every(name: SectionName): Buffer[] {
    return this.#all(name).map((section) => decompressed(section, this.#elf.contentsOf(section)));
  }

  #find(name: SectionName): ElfSection | undefined {
    return this.#all(name)[0];
  }

  #all(name: SectionName): ElfSection[] {
    const names = [`.debug_${name}${this.#suffix}`, `.zdebug_${name}${this.#suffix}`];
    return this.#elf.sections.filter((one) => names.includes(one.name));
  }
}

function decompressed({ name, flags, type }: ElfSection, bytes: Buffer): Buffer {
  if (type === SHT_NOBITS) return NOTHING;
  if (Math.floor(flags / SHF_COMPRESSED) % 2 === 1) {
    if (bytes.length < CHDR_SIZE) throw new DwarfError(`${name} is truncated`);
    const kind = bytes.readUInt32LE(0);
    return inflate(name, kind, bytes.subarray(CHDR_SIZE), Number(bytes.readBigUInt64LE(8)));
  }
  if (!name.startsWith(".zdebug")) return bytes;
  if (bytes.length < 12 || bytes.toString("latin1", 0, 4) !== "ZLIB") throw new DwarfError(`${name} is truncated`);
  return inflate(name, ELFCOMPRESS_ZLIB, bytes.subarray(12), Number(bytes.readBigUInt64BE(4)));
}

function inflate(name: string, kind: number, bytes: Buffer, size: number): Buffer {
  if (size > Math.max(SMALL, MOST_GROWTH * bytes.length)) throw new DwarfError(`${name} claims to hold ${size} bytes`);
  const options = { maxOutputLength: Math.max(size, 1) };
  try {
    if (kind === ELFCOMPRESS_ZLIB) return zlib.inflateSync(bytes, options);
    if (kind === ELFCOMPRESS_ZSTD && zstd !== undefined) return zstd(bytes, options);
  } catch (error) {
    throw new DwarfError(`${name} cannot be decompressed: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (kind === ELFCOMPRESS_ZSTD)
    throw new DwarfError(
      `${name} is compressed with zstd, which node ${process.versions.node} cannot read (22.15 can)`,
    );
  throw new DwarfError(`${name} is compressed in an unknown way (${kind})`);
}
