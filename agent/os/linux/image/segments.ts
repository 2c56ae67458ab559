/** A loaded image's program headers, from memory: which part of it lies where. */
import { PT_LOAD } from "../../../../schemas/elf.js";
import { addressOf } from "../../../target/address.js";
import { pageAlign } from "../memory.js";
import { Peeked } from "../peek.js";

const MAGIC = 0x464c457f;

export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

/** The program headers of the image at `base`, from memory; null if it is not a 64-bit ELF image. @throws MemoryGone */
export function segmentsAt(base: NativePointer, memory = new Peeked()): Segment[] | null {
  const start = addressOf(base);
  if (memory.u32(start) !== MAGIC || memory.u8(start + 4) !== 2) return null;
  const table = start + memory.u64(start + 32);
  return Array.from({ length: memory.u16(start + 56) }, (_, i) => {
    const p = table + i * 56;
    return {
      type: memory.u32(p),
      flags: memory.u32(p + 4),
      offset: memory.u64(p + 8),
      vaddr: memory.u64(p + 16),
      fileSize: memory.u64(p + 32),
      memorySize: memory.u64(p + 40),
    };
  });
}

/** Where the first segment of this type is in memory; null if the image has none. */
export function segmentOf(base: NativePointer, type: number): NativePointer | null {
  const segments = segmentsAt(base) ?? [];
  const found = segments.find((s) => s.type === type);
  return found === undefined ? null : loadBias(base, segments).add(found.vaddr);
}

/** Size of the image at `base` in bytes, from its first mapped byte to its last. */
export function imageSize(base: NativePointer): number {
  const loads = (segmentsAt(base) ?? []).filter((s) => s.type === PT_LOAD);
  const [first, last] = [loads[0], loads[loads.length - 1]]; // PT_LOAD entries are in ascending order
  if (first === undefined || last === undefined) throw new Error(`there is no ELF image at ${base}`);
  return pageAlign(last.vaddr + last.memorySize - (first.vaddr - first.offset));
}

/** What to add to the file's addresses. `base` is where the file's first byte is mapped. */
export function loadBias(base: NativePointer, segments: readonly Segment[]): NativePointer {
  const first = segments.find((s) => s.type === PT_LOAD);
  return first === undefined ? base : base.sub(first.vaddr - first.offset);
}
