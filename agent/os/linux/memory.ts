/**
 * Host-owned memory: mapped with the host's own mmap and never freed, so that entries, thunks and tables outlive the
 * script. (Memory.alloc's memory is freed at unload; every adopted entry would then jump into nowhere.)
 */
import { ENTRY_SIZE } from "../../../schemas/abi.js";
import { codeWriter } from "../../arch/index.js";
import { type Address, addressOf, pointerTo, spanOf } from "../../target/address.js";
import type { Extent } from "../../target/extent.js";
import { native } from "../../target/native.js";
import {
  close,
  MAP_ANONYMOUS,
  MAP_FAILED,
  MAP_PRIVATE,
  MFD_CLOEXEC,
  memfdCreate,
  mmap,
  munmap,
  PROT_RW,
} from "./calls.js";
import { codeMappings, dataMappings, type Mapping } from "./mappings.js";

const ftruncate = native("ftruncate", "int", ["int", "long"]);

/** Since Linux 4.17; older kernels take the address as a hint, hence the check of the result. */
const MAP_FIXED_NOREPLACE = 0x100000;

const STEPS = 384;
/** The kernel maps nothing below this. */
const LOWEST = 0x10000;

/** The target's limits or its kernel refuse us memory or a thread. */
export class NoRoom extends Error {}

export const pageAlign = (size: number): number => Math.ceil(size / Process.pageSize) * Process.pageSize;

/** Zeroed read-write memory anywhere. `size` in bytes. @throws NoRoom */
export function mapAnywhere(size: number): NativePointer {
  const p = mmap(NULL, pageAlign(size), PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p.equals(MAP_FAILED)) throw new NoRoom(`mmap of ${size} bytes failed in the target`);
  return p;
}

/** Frees memory that nothing in the target refers to any more. */
export function unmap(memory: NativePointer, size: number): void {
  munmap(memory, pageAlign(size));
}

/**
 * Zeroed read-write memory within a jump's reach of all addresses in the span of `near`. Not of the whole module: its data
 * may be larger than a jump's reach. Tries ever further from the module in both directions. `size` in bytes.
 * @throws NoRoom if every place is taken
 */
export function mapNear({ base: start, size: extent }: Extent, near: readonly Address[], size: number): NativePointer {
  const bytes = pageAlign(size);
  const base = addressOf(start);
  const end = base + pageAlign(extent);
  const { low, high } = spanOf(near);
  let step = 0x10000;
  for (let i = 0, away = 0; i < STEPS && away < codeWriter.near; i++) {
    for (const place of [base - away - bytes, end + away]) {
      if (place < LOWEST) continue;
      const p = mmap(pointerTo(place), bytes, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
      if (p.equals(MAP_FAILED)) continue;
      const got = addressOf(p);
      if (codeWriter.inReach(got, high + ENTRY_SIZE) && codeWriter.inReach(got + bytes, low)) return p;
      munmap(p, bytes);
    }
    away += step;
    step = Math.min(step * 2, 0x800000);
  }
  throw new NoRoom(`no free memory within 2 GB of the code at 0x${low.toString(16)}`);
}

/** Zeroed private memory that /proc/PID/maps lists under `name`, where later agents find it. @throws NoRoom */
export function mapNamed(name: string, size: number): NativePointer {
  const fd = memfdCreate(Memory.allocUtf8String(name), MFD_CLOEXEC);
  if (fd < 0) throw new NoRoom("the target's memfd_create failed");
  // Touching a mapping beyond the end of its file kills the process.
  if (ftruncate(fd, pageAlign(size)) !== 0) {
    close(fd);
    throw new NoRoom(`the target cannot create a memory file of ${size} bytes`);
  }
  const p = mmap(NULL, pageAlign(size), PROT_RW, MAP_PRIVATE, fd, 0);
  close(fd);
  if (p.equals(MAP_FAILED)) throw new NoRoom(`mmap of ${size} bytes failed in the target`);
  return p;
}

/** What `mapNamed` created under this name, if it is still writable; null: nothing. */
export const findNamedData = (name: string): NativePointer | null => named(name, dataMappings());
/** The same, if it has been made executable. */
export const findNamedCode = (name: string): NativePointer | null => named(name, codeMappings());

const named = (name: string, among: readonly Mapping[]): NativePointer | null =>
  among.find(({ path }) => path.startsWith(`/memfd:${name}`))?.base ?? null;
