/**
 * Bounds-checked little-endian reads of a file's bytes, and the error every ELF reader throws.
 * Must not know what a section or a symbol is, must not do I/O, and must not allocate by an unchecked count.
 */

/**
 * - `incomplete`: zero-filled or truncated, so a later look may find it whole;
 * - `invalid`: not an ELF file, or inconsistent;
 * - `executable`: an ELF of the right kind, but a program;
 * - `architecture`: a whole ELF, but of another class, byte order or machine.
 */
export type ElfErrorKind = "incomplete" | "invalid" | "executable" | "architecture";

/** What is wrong with a file, in one sentence. The only thing the readers of cli/binary throw for bad bytes. */
export class ElfError extends Error {
  readonly kind: ElfErrorKind;
  constructor(kind: ElfErrorKind, message: string) {
    super(message);
    this.name = "ElfError";
    this.kind = kind;
  }
}

const HIGH = 2 ** 32;

/** A file's bytes. Offsets and sizes are in bytes; `require` a range before reading single fields in it. */
export class ElfBytes {
  readonly buffer: Buffer;
  readonly length: number;
  readonly #names = new Map<number, string>();
  // Names may share tails, so a crafted file could have n symbols with names of n bytes. In a linked file all names
  // together are smaller than the file (each is stored at most twice: .strtab, .dynstr).
  #nameBudget: number;
  // Tables of records become objects several times their size; in a linked file no two of them overlap.
  #recordBudget: number;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
    this.length = buffer.length;
    this.#nameBudget = 2 * buffer.length;
    this.#recordBudget = buffer.length;
  }

  /** @throws ElfError incomplete when `[offset, offset + size)` is not inside the file. */
  require(offset: number, size: number, what: string): void {
    if (offset > this.length || size > this.length - offset) {
      throw new ElfError("incomplete", `${what} ends at byte ${offset + size}, the file has ${this.length}`);
    }
  }

  /** Counts the bytes of a table before it is read. @throws ElfError invalid when all tables exceed the file. */
  claim(size: number, what: string): void {
    this.#recordBudget -= size;
    if (this.#recordBudget < 0) throw new ElfError("invalid", `${what} overlaps another table`);
  }

  u8(offset: number): number {
    return this.buffer.readUInt8(offset);
  }
  u16(offset: number): number {
    return this.buffer.readUInt16LE(offset);
  }
  u32(offset: number): number {
    return this.buffer.readUInt32LE(offset);
  }
  /** Above 2^53 the result is rounded: no such value passes a bounds check, so none is ever used as an offset. */
  u64(offset: number): number {
    return this.buffer.readUInt32LE(offset + 4) * HIGH + this.buffer.readUInt32LE(offset);
  }
  i64(offset: number): number {
    return this.buffer.readInt32LE(offset + 4) * HIGH + this.buffer.readUInt32LE(offset);
  }

  /** A view, not a copy. @throws ElfError incomplete when the range is not inside the file. */
  slice(offset: number, size: number, what: string): Buffer {
    this.require(offset, size, what);
    return this.buffer.subarray(offset, offset + size);
  }

  /** Whether the range is all zeros: what a writer that has not got that far leaves behind. */
  isZero(offset: number, size: number): boolean {
    for (let at = offset; at < offset + size; at++) if (this.buffer[at] !== 0) return false;
    return true;
  }

  /** The NUL-terminated UTF-8 string at byte `index` of the string table `[table, table + size)`. */
  text(table: number, size: number, index: number, what: string): string {
    this.require(table, size, `the string table of ${what}`);
    if (index >= size)
      throw new ElfError("invalid", `${what}: name at ${index}, but its string table has ${size} bytes`);
    const start = table + index;
    const known = this.#names.get(start);
    if (known !== undefined) return known;
    const end = this.buffer.indexOf(0, start);
    if (end < 0 || end >= table + size) throw new ElfError("invalid", `${what}: a name is not terminated`);
    this.#nameBudget -= end - start;
    if (this.#nameBudget < 0) throw new ElfError("invalid", `${what}: the names are longer than the file`);
    const name = this.buffer.toString("utf8", start, end);
    this.#names.set(start, name);
    return name;
  }
}
