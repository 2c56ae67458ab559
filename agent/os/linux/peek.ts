/**
 * Reads memory that may be unmapped meanwhile: the host may close a library at any time. Uses process_vm_readv, which
 * returns EFAULT where a plain read would raise SIGSEGV, a signal that is the host's alone (docs/decisions/0015).
 */
import { type Address, pointerTo } from "../../target/address.js";
import { native } from "../../target/native.js";

const processVmReadv = native("process_vm_readv", "long", ["int", "pointer", "ulong", "pointer", "ulong", "ulong"]);

const PAGE = 4096;
/** Bytes of the longest string we read. */
const LONGEST_STRING = 64 * 1024;
const vectors = Memory.alloc(4 * Process.pointerSize);

/** What was mapped there no longer is. */
export class MemoryGone extends Error {
  constructor(at: Address) {
    super(`nothing is mapped at 0x${at.toString(16)}`);
    this.name = "MemoryGone";
  }
}

/** As many of `size` bytes as can be read, from the first on; null if the kernel refuses. */
function readUpTo(at: Address, size: number): ArrayBuffer | null {
  const buffer = Memory.alloc(size);
  vectors.writePointer(buffer).add(8).writeU64(size);
  vectors.add(16).writePointer(pointerTo(at)).add(8).writeU64(size);
  const length = Number(processVmReadv(Process.id, vectors, 1, vectors.add(16), 1, 0));
  return length < 0 ? null : buffer.readByteArray(length);
}

/** A copy of `size` bytes. @throws MemoryGone */
export function peek(at: Address, size: number): ArrayBuffer {
  const bytes = readUpTo(at, size);
  if (bytes === null || bytes.byteLength !== size) throw new MemoryGone(at);
  return bytes;
}

/** Memory as it was when each page was first read. All methods throw MemoryGone. */
export class Peeked {
  readonly #pages = new Map<Address, DataView>();

  u8(at: Address): number {
    return this.#page(at).getUint8(at % PAGE);
  }

  u16(at: Address): number {
    return this.u8(at) | (this.u8(at + 1) << 8);
  }

  u32(at: Address): number {
    return at % PAGE <= PAGE - 4
      ? this.#page(at).getUint32(at % PAGE, true)
      : this.u16(at) + this.u16(at + 2) * 2 ** 16;
  }

  /** As a number: user space has 47 bits. */
  u64(at: Address): number {
    return this.u32(at) + this.u32(at + 4) * 2 ** 32;
  }

  /** A NUL-terminated string, one character per byte. */
  text(at: Address): string {
    let text = "";
    for (let i = at; i < at + LONGEST_STRING; i++) {
      const byte = this.u8(i);
      if (byte === 0) return text;
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #page(at: Address): DataView {
    const start = at - (at % PAGE);
    let page = this.#pages.get(start);
    if (page === undefined) {
      page = new DataView(peek(start, PAGE));
      this.#pages.set(start, page);
    }
    return page;
  }
}
