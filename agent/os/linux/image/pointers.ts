/**
 * What the pointers in a module's data point to, even before the loader has written them: we are notified of a library
 * when it is mapped, and it is relocated after that. Read-only.
 * Source: x86-64 psABI 1.0 table 4.9; measured with Frida 17.26.2 on glibc 2.36: a module observer still sees zeros.
 */
import { DT_RELA, DT_RELASZ, DT_SYMTAB } from "../../../../schemas/elf.js";
import { LINUX } from "../../../arch/index.js";
import { type Address, addressOf, pointerTo } from "../../../target/address.js";
import { contains, type Extent } from "../../../target/extent.js";
import { type DynamicTables, dynamicAt } from "./dynamic.js";
import { SYMBOL } from "./symbol.js";

const RELA = 24;
/** Relocations that may point into the module: base-relative ones, and those against one of its own symbols. */
const { relative: RELATIVE, symbol: OF_SYMBOL } = LINUX.relocations;
const HIGH = 2 ** 32;

/** Reads the pointer at a place in the module: what it points to once relocated; NULL if not into the module. */
export function pointersIn(module: Extent): (at: NativePointer) => NativePointer {
  let relocations: ReadonlyMap<Address, NativePointer> | null = null;
  return (at) => {
    const value = at.readPointer();
    if (contains(module, value)) return value;
    relocations ??= relocationsOf(module);
    const relocated = relocations.get(addressOf(at));
    if (relocated !== undefined) return relocated;
    // Packed relocations (RELR) carry no value: the address as in the file is stored in place.
    const packed = value.isNull() ? NULL : biasOf(module).add(value);
    return contains(module, packed) ? packed : NULL;
  };
}

const biasOf = ({ base }: Extent): NativePointer => dynamicAt(base)?.bias ?? base;

/** What the module's own relocations write, by place, if it is an address in the module. */
function relocationsOf({ base }: Extent): Map<Address, NativePointer> {
  const found = new Map<Address, NativePointer>();
  const dynamic = dynamicAt(base);
  if (dynamic === null) return found;
  const bias = addressOf(dynamic.bias);
  const symbols = dynamic.tables.get(DT_SYMTAB);
  const words = tableOf(dynamic);
  const word = (i: number): number => words[i] ?? 0;
  const u64 = (i: number): number => word(i) + word(i + 1) * HIGH;
  for (let i = 0; i < words.length; i += RELA / 4) {
    const type = word(i + 2);
    if (type !== RELATIVE && type !== OF_SYMBOL) continue;
    const symbol = type === OF_SYMBOL ? symbols?.add(word(i + 3) * SYMBOL) : undefined;
    if (symbol?.add(6).readU16() === 0) continue; // another library's
    const start = symbol?.add(8).readU64().toNumber() ?? 0;
    found.set(bias + u64(i), pointerTo(bias + start + u64(i + 4)));
  }
  return found;
}

/** The raw relocations; empty if there are none. */
function tableOf({ tables, values }: DynamicTables): Uint32Array {
  const table = tables.get(DT_RELA);
  const size = values.get(DT_RELASZ) ?? 0;
  const bytes = table === undefined || size === 0 ? null : table.readByteArray(size - (size % RELA));
  return new Uint32Array(bytes ?? new ArrayBuffer(0));
}
