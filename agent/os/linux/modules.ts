/**
 * The modules the loader has mapped, asked of the loader itself: for its own list Frida would have to hook the loader's
 * code, and those hooks hung forked children (docs/decisions/0015). Calls nothing that waits for the loader's main lock: a
 * thread that opens a library may be waiting for us just then (loader-watch.ts).
 */

import { type Address, addressOf } from "../../target/address.js";
import { contains, type Place } from "../../target/extent.js";
import { exported, native } from "../../target/native.js";
import { define } from "./c.js";
import { mappings } from "./mappings.js";
import SOURCE from "./modules.c.js";

export interface LoadedModule extends Place {
  /** The loader's name for it: the path it was opened by. "" for the executable. */
  readonly name: string;
}

/** Layout of a module's record, in bytes: base, end, then its name, truncated to fit. */
const RECORD = { base: 0, end: 8, name: 16, size: 1040 } as const;
const FIRST_GUESS = 256;

const DEFINES = define({ NAME_SIZE: RECORD.size - RECORD.name, PAGE_SIZE: Process.pageSize });
const dlIteratePhdr = native("dl_iterate_phdr", "int", ["pointer", "pointer"]);

let reader: CModule | null = null;

/** In load order, the executable first. */
export function loadedModules(): LoadedModule[] {
  reader ??= new CModule(DEFINES + SOURCE);
  for (let room = FIRST_GUESS; ; ) {
    const list = Memory.alloc(16 + room * RECORD.size);
    list.writeU64(room).add(8).writeU64(0);
    dlIteratePhdr(reader.note as NativePointer, list);
    const found = list.add(8).readU64().toNumber();
    if (found <= room) return named(Array.from({ length: found }, (_, i) => list.add(16 + i * RECORD.size)));
    room = found * 2;
  }
}

function named(records: readonly NativePointer[]): LoadedModule[] {
  const files = mappedFiles();
  return records.map((record) => {
    const base = record.add(RECORD.base).readPointer();
    const name = record.add(RECORD.name).readUtf8String() ?? "";
    const size = Number(record.add(RECORD.end).readPointer().sub(base).toString());
    // The loader's name may be relative to a working directory that has changed since.
    return { base, size, name, path: files.get(addressOf(base)) ?? name };
  });
}

/** The file of each mapping, by start address. Empty if the process has no /proc. */
function mappedFiles(): Map<Address, string> {
  try {
    return new Map(
      mappings().flatMap(({ base, path }) => (path.startsWith("/") ? [[addressOf(base), path] as const] : [])),
    );
  } catch {
    return new Map();
  }
}

/** The module that contains an address. */
export const moduleAt = (modules: readonly LoadedModule[], at: NativePointer): LoadedModule | undefined =>
  modules.find((module) => contains(module, at));

/** The function the loader calls when its list changes, and where its state is. Source: link.h, struct r_debug. */
export function loaderNotice(): { readonly at: Address; readonly state: Address } {
  const debug = exported("_r_debug");
  return { at: addressOf(debug.add(16).readPointer()), state: addressOf(debug.add(24)) };
}
