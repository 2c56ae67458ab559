/**
 * Which functions a library's vtables hold, from its symbols and relocations. Source: Itanium C++ ABI 2.5 (vtables) and
 * 5.1.4 (_ZTV).
 */
import { SHN_UNDEF, STT_FUNC } from "../../schemas/elf.js";
import type { Elf, ElfRelocation } from "./elf.js";
import { firstAbove } from "./sorted.js";

/** A slot, as its class and the bytes from the vtable's start, to the symbol of the function in it. */
export type VirtualSlots = ReadonlyMap<string, string>;

const NO_SLOTS: VirtualSlots = new Map();

/** Slots whose function has no symbol here are left out. */
export function virtualSlots(elf: Elf): VirtualSlots {
  const symbols = [...elf.dynamicSymbols(), ...elf.symbols()].filter((one) => one.sectionIndex !== SHN_UNDEF);
  const tables = symbols.filter(({ name }) => name.startsWith("_ZTV")).sort((a, b) => a.value - b.value);
  if (tables.length === 0) return NO_SLOTS;
  const starts = tables.map((one) => one.value);
  const functions = new Map(symbols.filter(({ type }) => type === STT_FUNC).map(({ name, value }) => [value, name]));
  const slots = new Map<string, string>();
  for (const one of elf.relocations()) {
    const table = tables[firstAbove(starts, one.offset) - 1];
    if (table === undefined || one.offset >= table.value + table.size) continue;
    const name = functionOf(elf, one, functions);
    if (name !== undefined) slots.set(`${table.name}+${one.offset - table.value}`, behindThunk(name));
  }
  return slots;
}

/** A thunk adjusts `this` for the class it belongs to, and goes on to the function itself. */
const behindThunk = (symbol: string): string => symbol.replace(/^_ZT(?:hn?\d+|vn?\d+_n?\d+)_/, "_Z");

/** The function that a slot's relocation leads to: by name where it can be interposed, otherwise by place. */
function functionOf(
  elf: Elf,
  { type, symbol, addend }: ElfRelocation,
  functions: ReadonlyMap<number, string>,
): string | undefined {
  const { absolute, relative } = elf.arch.relocations;
  if (type === relative) return functions.get(addend);
  const named = type === absolute ? elf.dynamicSymbols()[symbol] : undefined;
  return named !== undefined && named.name !== "" && !/^_ZT[IS]/.test(named.name) ? named.name : undefined;
}
