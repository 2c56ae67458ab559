/** The ELF reader against readelf, on libraries built here and on the system's own. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import {
  contentHash,
  type Elf,
  ElfError,
  type ElfErrorKind,
  readElf,
  validateLibrary,
} from "../../../cli/binary/elf.js";
import { build, has, run, SAMPLE, workFolder } from "./fixtures.js";

const systemLibrary = (name: string) => run("gcc", [`-print-file-name=${name}`]).trim();

/** A message of readelf's -W lines that match, split at spaces. */
const rows = (path: string, option: string, pattern: RegExp): string[][] =>
  run("readelf", ["-W", option, path])
    .split("\n")
    .filter((line) => pattern.test(line))
    .map((line) => line.trim().split(/\s+/));

const unversioned = (name: string | undefined) => (name ?? "").replace(/@.*/, "");
const hex = (text: string | undefined) => Number.parseInt(text ?? "", 16);
/** readelf rounds nothing, our numbers above 2^53 do; none of these files has one. */
const BINDS: Record<number, string> = { 0: "LOCAL", 1: "GLOBAL", 2: "WEAK", 10: "UNIQUE" };
const TYPES = ["NOTYPE", "OBJECT", "FUNC", "SECTION", "FILE", "COMMON", "TLS", "", "", "", "IFUNC"];
const PLACES: Record<string, number> = { UND: 0, ABS: 0xfff1, COM: 0xfff2 };

function symbolRows(path: string, option: string) {
  return rows(path, option, /^\s+\d+:\s/).map(([, value, size, type, bind, , place, name]) => ({
    value: hex(value),
    size: Number(size),
    type,
    bind,
    place: PLACES[place ?? ""] ?? Number(place),
    name: unversioned(name),
  }));
}

const ourSymbols = (symbols: ReturnType<Elf["symbols"]>, sections: Elf["sections"]) =>
  symbols.map((one) => ({
    value: one.value,
    size: one.size,
    type: TYPES[one.type],
    bind: BINDS[one.bind],
    place: one.sectionIndex,
    // readelf prints a section symbol's section name where the symbol has none
    name: one.type === 3 && one.name === "" ? (sections[one.sectionIndex]?.name ?? "") : unversioned(one.name),
  }));

function compareWithReadelf(path: string): { ours: unknown; theirs: unknown } {
  const elf = validateLibrary(readFileSync(path));
  const header = run("readelf", ["-W", "-h", "-n", "-d", path]);
  const field = (pattern: RegExp) => pattern.exec(header)?.[1] ?? null;
  const ours = {
    entry: elf.header.entry,
    buildId: elf.buildId,
    soname: elf.soname,
    needed: elf.needed,
    sections: elf.sections.slice(1).map((one) => [one.name, one.addr, one.offset, one.size, one.entsize]),
    segments: elf.segments.map((one) => [one.offset, one.addr, one.fileSize, one.memSize]),
    dynamicSymbols: ourSymbols(elf.dynamicSymbols(), elf.sections),
    symbols: ourSymbols(elf.symbols(), elf.sections),
    relocations: elf.relocations().map((one) => [one.offset, one.type, one.symbol]),
  };
  const dynamicSymbols = symbolRows(path, "--dyn-syms");
  const theirs = {
    entry: hex(field(/Entry point address:\s+0x(\w+)/) ?? ""),
    buildId: field(/Build ID: (\w+)/),
    soname: field(/SONAME.*\[(.*)\]/),
    needed: [...header.matchAll(/NEEDED.*\[(.*)\]/g)].map((one) => one[1]),
    // The index may read "[ 1]": its number is cut off before splitting.
    sections: run("readelf", ["-W", "-S", path])
      .split("\n")
      .filter((line) => /^\s+\[\s*[1-9]\d*\]/.test(line))
      .map((line) =>
        line
          .replace(/^.*?\]/, "")
          .trim()
          .split(/\s+/),
      )
      .map(([name, , addr, offset, size, entsize]) => [name, hex(addr), hex(offset), hex(size), hex(entsize)]),
    segments: rows(path, "-l", /^\s+\w+\s+0x\w+ 0x\w+ 0x/).map(([, offset, addr, , file, memory]) =>
      [offset, addr, file, memory].map(Number),
    ),
    dynamicSymbols,
    // -s prints both tables, .dynsym first
    symbols: symbolRows(path, "-s").slice(dynamicSymbols.length),
    // readelf expands DT_RELR behind a heading of its own; those lines have no info column
    relocations: rows(path, "-r", /^[0-9a-f]{16}\s+[0-9a-f]{16}\s+R_X86_64/).map(([offset, info]) => [
      hex(offset),
      hex(info?.slice(8)),
      hex(info?.slice(0, 8)),
    ]),
  };
  return { ours, theirs };
}

for (const name of ["libc.so.6", "libz.so.1", "libstdc++.so.6", "libm.so.6"]) {
  const path = systemLibrary(name);
  const present = path.startsWith("/");
  (present ? test : test.skip)(`reads ${name} as readelf does`, (t) => {
    const { ours, theirs } = compareWithReadelf(path);
    t.deepEqual(ours, theirs);
  });
}

test("reads a library that gcc built as readelf does", async (t) => {
  const folder = await workFolder(t);
  const path = await build(folder, "libsample.so", SAMPLE, ["-Wl,-soname,libsample.so.1", "-lm", "-Wl,--no-as-needed"]);
  const { ours, theirs } = compareWithReadelf(path);
  t.deepEqual(ours, theirs);
});

(has("clang") && has("ld.lld") ? test : test.skip)(
  "reads a library that clang and lld built as readelf does",
  async (t) => {
    const folder = await workFolder(t);
    const path = await build(
      folder,
      "libsample.so",
      SAMPLE,
      ["-fuse-ld=lld", "-Wl,--build-id=0xabcdef0123456789"],
      "clang",
    );
    const { ours, theirs } = compareWithReadelf(path);
    t.deepEqual(ours, theirs);
    t.is(validateLibrary(readFileSync(path)).buildId, "abcdef0123456789");
  },
);

test("finds symbols and relocations when the section headers are gone, by either kind of hash table", async (t) => {
  const folder = await workFolder(t);
  for (const style of ["gnu", "sysv", "both"]) {
    const bytes = readFileSync(await build(folder, `lib${style}.so`, SAMPLE, [`-Wl,--hash-style=${style}`]));
    const whole = validateLibrary(bytes);
    const bare = Buffer.from(bytes);
    bare.fill(0, 40, 48); // e_shoff
    bare.fill(0, 60, 64); // e_shnum, e_shstrndx
    const elf = validateLibrary(bare);
    t.deepEqual(elf.sections, []);
    t.deepEqual(elf.dynamicSymbols(), whole.dynamicSymbols(), style);
    t.deepEqual(elf.relocations(), whole.relocations());
    t.is(elf.buildId, whole.buildId);
    t.not(elf.buildId, null);
  }
});

test("counts the undefined symbols of a library that exports nothing and has no section headers", async (t) => {
  const folder = await workFolder(t);
  const source = 'extern int puts(const char *); __attribute__((constructor)) static void hello(void) { puts("x"); }';
  const bytes = readFileSync(await build(folder, "libnone.so", source, ["-Wl,--hash-style=gnu"]));
  bytes.fill(0, 40, 48);
  bytes.fill(0, 60, 64);
  t.true(
    validateLibrary(bytes)
      .dynamicSymbols()
      .some((one) => one.name === "puts"),
  );
});

test("reads symbols with the source file of a local one", async (t) => {
  const folder = await workFolder(t);
  const elf = validateLibrary(readFileSync(await build(folder, "libsample.so", SAMPLE)));
  const named = (name: string) => elf.symbols().find((one) => one.name === name);
  t.is(named("hidden_static")?.file, "libsample.so.c");
  t.is(named("helper")?.file, null);
  const helper = named("helper");
  t.is(elf.bytes.u64((helper?.fileOffset ?? 0) + 8), helper?.value ?? -1);
});

test("tells writable memory from RELRO and constants", async (t) => {
  const folder = await workFolder(t);
  const elf = validateLibrary(readFileSync(await build(folder, "libsample.so", SAMPLE, ["-Wl,-z,relro"])));
  const at = (name: string) => elf.dynamicSymbols().find((one) => one.name === name)?.value ?? -1;
  t.true(elf.writableAt(at("counter")));
  t.true(elf.writableAt(at("big")));
  t.false(elf.writableAt(at("table")), "constants");
  t.false(elf.writableAt(at("table_pointer")), "a constant pointer needs a relocation: RELRO");
  t.false(elf.writableAt(at("helper")), "code");
  t.false(elf.writableAt(0x7fff0000), "nothing is loaded there");
  t.is(elf.fileOffsetOf(at("big")), null, ".bss has no bytes in the file");
  t.is(elf.bytes.u32(elf.fileOffsetOf(at("counter")) ?? 0), 7);
  t.true((elf.relro?.end ?? 0) > (elf.relro?.start ?? 0));
});

test("the content hash is the SHA-256 of the bytes", (t) => {
  const bytes = Buffer.from("hotpatch");
  t.is(contentHash(bytes), createHash("sha256").update("hotpatch").digest("hex"));
});

function kindOf(bytes: Buffer): ElfErrorKind | "fit" {
  try {
    validateLibrary(bytes);
    return "fit";
  } catch (error) {
    if (error instanceof ElfError) return error.kind;
    throw error;
  }
}

test("every truncation of a library is incomplete", async (t) => {
  const folder = await workFolder(t);
  const bytes = readFileSync(await build(folder, "libsample.so", SAMPLE));
  for (let size = 0; size < bytes.length; size += 41)
    t.is(kindOf(bytes.subarray(0, size)), "incomplete", `${size} bytes`);
  t.is(kindOf(bytes.subarray(0, bytes.length - 1)), "incomplete");
  t.is(kindOf(bytes), "fit");
});

test("a file whose tail or head is still zero is incomplete", async (t) => {
  const folder = await workFolder(t);
  const whole = readFileSync(await build(folder, "libsample.so", SAMPLE));
  const elf = validateLibrary(whole);
  const zeroed = (from: number, to: number) => Buffer.from(whole).fill(0, from, to);
  t.is(kindOf(zeroed(0, whole.length)), "incomplete", "all");
  t.is(kindOf(zeroed(0, 64)), "incomplete", "the header, which is written last by some linkers");
  t.is(kindOf(zeroed(64, whole.length)), "incomplete", "all but the header");
  t.is(kindOf(zeroed(4096, whole.length)), "incomplete", "all but the first page");
  for (const name of [".dynamic", ".dynsym", ".dynstr"]) {
    const section = elf.sections.find((one) => one.name === name);
    t.is(kindOf(zeroed(section?.offset ?? 0, (section?.offset ?? 0) + (section?.size ?? 0))), "incomplete", name);
  }
});

test("what is no library for this machine is told apart", async (t) => {
  const folder = await workFolder(t);
  const bytes = readFileSync(await build(folder, "libsample.so", SAMPLE));
  const edited = (offset: number, value: number) => {
    const copy = Buffer.from(bytes);
    copy[offset] = value;
    return copy;
  };
  t.is(kindOf(Buffer.from(`#!/bin/sh\n${"echo\n".repeat(20)}`)), "invalid");
  t.is(kindOf(edited(4, 1)), "architecture", "32-bit");
  t.is(kindOf(edited(5, 2)), "architecture", "big-endian");
  t.is(kindOf(edited(18, 183)), "architecture", "AArch64");
  t.throws(() => readElf(edited(18, 183)), { message: /AArch64/ });
  t.is(kindOf(edited(16, 1)), "invalid", "an object file");
  t.is(kindOf(edited(0, 0x7e)), "invalid");
  const program = join(folder, "program");
  await build(folder, "main.o", "int main(void) { return 0; }");
  run("gcc", ["-fPIE", "-pie", "-o", program, join(folder, "main.o.c")]);
  t.is(kindOf(edited(16, 2)), "executable", "an executable at a fixed address");
  t.is(kindOf(edited(16, 4)), "invalid", "a core dump");
  t.is(kindOf(readFileSync(program)), "executable", "a position-independent executable");
  t.regex(readElf(readFileSync(program)).interpreter ?? "", /^\/.*ld-linux/);
});

test("a debug file without code can be read, and is no library", async (t) => {
  const folder = await workFolder(t);
  const path = await build(folder, "libsample.so", SAMPLE, ["-g"]);
  const debug = join(folder, "libsample.debug");
  run("objcopy", ["--only-keep-debug", path, debug]);
  const elf = readElf(readFileSync(debug));
  t.is(elf.buildId, validateLibrary(readFileSync(path)).buildId);
  t.true(elf.symbols().some((one) => one.name === "hidden_static"));
  const info = elf.sections.find((one) => one.name === ".debug_info");
  t.true(info !== undefined && elf.contentsOf(info).length === info.size);
  t.not(kindOf(readFileSync(debug)), "fit");
});
