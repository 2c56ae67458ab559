/** Bytes to be hashed, one function or constant after another in the same memory. */
import { hash } from "node:crypto";

export class Stream {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** @returns where it is, for {@link set} */
  number(value: number): number {
    this.#reserve(4);
    this.#bytes.writeInt32LE(value | 0, this.#length);
    this.#length += 4;
    return this.#length - 4;
  }

  set(at: number, value: number): void {
    this.#bytes.writeInt32LE(value | 0, at);
  }

  text(text: string): void {
    const size = Buffer.byteLength(text);
    this.number(size);
    this.#reserve(size);
    this.#length += this.#bytes.write(text, this.#length);
  }

  bytes(from: Buffer, start: number, end: number): void {
    this.#reserve(end - start);
    for (let at = start; at < end; at++) this.#bytes[this.#length++] = from[at] ?? 0;
  }

  hash(): string {
    return hash("sha1", this.#bytes.subarray(0, this.#length), "hex");
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#length + size));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
