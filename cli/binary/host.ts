/**
 * What an executable's bytes say about a host: can hotpatch work in it, and which names does it define.
 * Must not read /proc or any file.
 */

import { ET_DYN, ET_EXEC, SHN_UNDEF } from "../../schemas/elf.js";
import { type Elf, ElfError, readElf } from "./elf.js";

/**
 * `detail`: the loader's path for `ok` and `musl`, otherwise the reason in words.
 * - `static`: no dynamic loader, so nothing can be loaded into it;
 * - `architecture`: not an x86-64 ELF executable, or not a readable ELF file.
 */
export interface HostKind {
  readonly kind: "ok" | "static" | "musl" | "architecture";
  readonly detail: string;
}

/**
 * What kind of host an executable is. The file's first 4 KiB are enough; never throws for bad bytes.
 * Source: PT_INTERP is ld-linux-x86-64.so.2 for glibc and ld-musl-x86_64.so.1 for musl; a static executable, also a
 * static PIE, has none (gcc 12 -static and -static-pie).
 */
export function hostKind(bytes: Buffer): HostKind {
  try {
    const elf = readElf(bytes, { segmentsOnly: true });
    if (elf.header.type !== ET_EXEC && elf.header.type !== ET_DYN) {
      return { kind: "architecture", detail: `this is not an executable (e_type ${elf.header.type})` };
    }
    const loader = elf.interpreter ?? loaderItself(elf);
    if (loader === null) return { kind: "static", detail: "it names no dynamic loader (no PT_INTERP)" };
    return { kind: /(^|\/)(ld-musl-|libc\.musl-)/.test(loader) ? "musl" : "ok", detail: loader };
  } catch (error) {
    if (error instanceof ElfError) return { kind: "architecture", detail: error.message };
    throw error;
  }
}

/**
 * Was the executable built with ThreadSanitizer? It exits the process (code 66) as soon as Frida enters. gcc's needs a
 * library, clang's is in the executable; both have this name.
 */
export function hasThreadSanitizer(bytes: Buffer): boolean {
  try {
    return readElf(bytes)
      .dynamicSymbols()
      .some(({ name }) => name === "__tsan_init");
  } catch (error) {
    if (error instanceof ElfError) return false;
    throw error;
  }
}

/** `ld.so program` runs as the loader, which has no PT_INTERP but a name of its own. Needs the whole file. */
function loaderItself(elf: Elf): string | null {
  try {
    const name = elf.soname;
    // musl's loader is its libc and carries no DT_SONAME, or libc.musl-x86_64.so.1: it cannot be told from a static PIE
    // in the first case, and is refused either way.
    return name !== null && /^(ld-|libc\.musl-)/.test(name) ? name : null;
  } catch (error) {
    if (error instanceof ElfError) return null; // a prefix, or garbage after it: no known loader
    throw error;
  }
}

/** The variables that an executable has in its own .bss although a library defines them (copy relocations). */
export function copyRelocations(elf: Elf): Set<string> {
  const symbols = elf.dynamicSymbols();
  const names = new Set<string>();
  for (const one of elf.relocations()) {
    const name = one.type === elf.arch.relocations.copy ? symbols[one.symbol]?.name : undefined;
    if (name !== undefined && name !== "") names.add(name);
  }
  return names;
}

/**
 * Does the file define a dynamic symbol of this name? A non-PIC executable's PLT entry for a library's function has a
 * value but no section: that is no definition.
 */
export function definesSymbol(elf: Elf, name: string): boolean {
  return elf.dynamicSymbols().some((one) => one.sectionIndex !== SHN_UNDEF && one.name === name);
}
