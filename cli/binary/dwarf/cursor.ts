/**
 * Bounds-checked reads of a debug section, and the error for unusable debug information. Must not know what is read,
 * and must not allocate by an unchecked count.
 */

/** Why debug information is unusable, in one clause. Never a reason to refuse a library, which is merely unchecked. */
export class DwarfError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DwarfError";
  }
}

const HIGH = 2 ** 32;
/** A 64-bit LEB128 number has at most 10 bytes; linkers pad some to more, but never to this many. */
const LONGEST_LEB = 16;

/** Sequential little-endian reads. Every read past `end` is a DwarfError. */
export class Cursor {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;

  constructor(bytes: Buffer, at: number, end = bytes.length) {
    this.bytes = bytes;
    this.end = Math.min(end, bytes.length);
    this.at = at;
    if (!(at >= 0 && at <= this.end)) throw new DwarfError(`debug information points to byte ${at} of ${this.end}`);
  }

  skip(size: number): void {
    if (!(size >= 0 && size <= this.end - this.at))
      throw new DwarfError("debug information ends in the middle of an entry");
    this.at += size;
  }

  u8(): number {
    const at = this.at;
    this.skip(1);
    return this.bytes[at] ?? 0;
  }
  u16(): number {
    const at = this.at;
    this.skip(2);
    return this.bytes.readUInt16LE(at);
  }
  u24(): number {
    const at = this.at;
    this.skip(3);
    return this.bytes.readUIntLE(at, 3);
  }
  u32(): number {
    const at = this.at;
    this.skip(4);
    return this.bytes.readUInt32LE(at);
  }
  /** Above 2^53 the result is rounded: no such value passes a bounds check. */
  u64(): number {
    const low = this.u32();
    return this.u32() * HIGH + low;
  }
  big64(): bigint {
    const at = this.at;
    this.skip(8);
    return this.bytes.readBigUInt64LE(at);
  }
  /** An offset of the 32- or 64-bit DWARF format. */
  offset(size: 4 | 8): number {
    return size === 4 ? this.u32() : this.u64();
  }
  /** @param size 1 to 8 */
  unsigned(size: number): number {
    if (size === 8) return this.u64();
    const at = this.at;
    this.skip(size);
    if (size < 1 || size > 6) throw new DwarfError(`an address of ${size} bytes`);
    return this.bytes.readUIntLE(at, size);
  }

  /** Above 2^53 the result is rounded. */
  uleb(): number {
    const first = this.u8();
    if (first < 128) return first;
    let [value, scale] = [first - 128, 128];
    for (let n = 1; n < LONGEST_LEB; n++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw new DwarfError("a number in the debug information is not terminated");
  }

  ulebBig(): bigint {
    return this.#leb().value;
  }

  slebBig(): bigint {
    const { value, bits, negative } = this.#leb();
    return negative ? value - (1n << bits) : value;
  }

  /** The NUL-terminated UTF-8 string here. */
  text(): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0 || end >= this.end) throw new DwarfError("a name in the debug information is not terminated");
    const text = this.bytes.toString("utf8", this.at, end);
    this.at = end + 1;
    return text;
  }

  skipText(): void {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0 || end >= this.end) throw new DwarfError("a name in the debug information is not terminated");
    this.at = end + 1;
  }

  #leb(): { value: bigint; bits: bigint; negative: boolean } {
    let [value, bits] = [0n, 0n];
    for (let n = 0; n < LONGEST_LEB; n++) {
      const byte = this.u8();
      value |= BigInt(byte & 127) << bits;
      bits += 7n;
      if (byte < 128) return { value, bits, negative: (byte & 64) !== 0 };
    }
    throw new DwarfError("a number in the debug information is not terminated");
  }
}
