/** A loaded image's dynamic section, from memory: the loader's own tables, which remain when the file is gone. */
import {
  DT_GNU_HASH,
  DT_HASH,
  DT_NULL,
  DT_STRTAB,
  DT_SYMTAB,
  PF_X,
  PT_DYNAMIC,
  PT_LOAD,
  STT_FUNC,
} from "../../../../schemas/elf.js";
import { addressOf, pointerTo } from "../../../target/address.js";
import { Peeked } from "../peek.js";
import { loadBias, segmentsAt } from "./segments.js";
import { type FunctionSymbol, SYMBOL } from "./symbol.js";

/**
 * Exported functions from the module's own tables in memory: all that is left when its file is gone. Null if the module is
 * not an ELF image or has no symbol table.
 */
export function exportsInMemory(base: NativePointer): FunctionSymbol[] | null {
  const memory = new Peeked();
  const segments = segmentsAt(base, memory);
  const dynamic = dynamicAt(base, memory);
  if (segments === null || dynamic === null) return null;
  const { bias, tables: tags } = dynamic;
  const [symbols, names] = [tags.get(DT_SYMTAB), tags.get(DT_STRTAB)];
  const count = symbolCount(memory, tags.get(DT_HASH), tags.get(DT_GNU_HASH));
  if (symbols === undefined || names === undefined || count === 0) return null;
  const code = segments.filter((s) => s.type === PT_LOAD && (s.flags & PF_X) !== 0);
  const found: FunctionSymbol[] = [];
  for (let i = 0, p = addressOf(symbols); i < count; i++, p += SYMBOL) {
    if ((memory.u8(p + 4) & 15) !== STT_FUNC || memory.u16(p + 6) === 0) continue;
    const value = memory.u64(p + 8);
    if (!code.some((s) => value >= s.vaddr && value < s.vaddr + s.memorySize)) continue;
    const name = memory.text(addressOf(names) + memory.u32(p));
    found.push({ name, address: addressOf(bias) + value, file: null });
  }
  return found;
}

export interface DynamicTables {
  /** Added to the file's addresses. */
  readonly bias: NativePointer;
  /** Addresses of tables, by DT_* tag. */
  readonly tables: ReadonlyMap<number, NativePointer>;
  /** Plain numbers, by DT_* tag: for sizes. */
  readonly values: ReadonlyMap<number, number>;
}

/** The dynamic section of the image at `base`, from memory; null if there is none. @throws MemoryGone */
export function dynamicAt(base: NativePointer, memory = new Peeked()): DynamicTables | null {
  const segments = segmentsAt(base, memory);
  const dynamic = segments?.find((s) => s.type === PT_DYNAMIC);
  if (segments == null || dynamic === undefined) return null;
  const bias = loadBias(base, segments);
  const tables = new Map<number, NativePointer>();
  const values = new Map<number, number>();
  const start = addressOf(bias) + dynamic.vaddr;
  for (let p = start; p + 16 <= start + dynamic.memorySize; p += 16) {
    const tag = memory.u64(p);
    if (tag === DT_NULL) break;
    const value = memory.u64(p + 8);
    // glibc has added the bias already; other loaders leave the file's value.
    tables.set(tag, value >= addressOf(base) ? pointerTo(value) : bias.add(value));
    values.set(tag, value);
  }
  return { bias, tables, values };
}

/** DT_HASH holds the number of symbols; with DT_GNU_HASH it is where the last chain ends. */
function symbolCount(memory: Peeked, hash: NativePointer | undefined, gnu: NativePointer | undefined): number {
  if (hash !== undefined) return memory.u32(addressOf(hash) + 4);
  if (gnu === undefined) return 0;
  const at = addressOf(gnu);
  const buckets = memory.u32(at);
  const first = memory.u32(at + 4);
  const table = at + 16 + memory.u32(at + 8) * 8;
  let last = 0;
  for (let i = 0; i < buckets; i++) last = Math.max(last, memory.u32(table + i * 4));
  if (last < first) return first;
  const chains = table + buckets * 4;
  while ((memory.u32(chains + (last - first) * 4) & 1) === 0) last++;
  return last + 1;
}
