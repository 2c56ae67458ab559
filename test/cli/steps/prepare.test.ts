/** The prepared copy: what is edited in it, and that it loads into a process that links the original. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { type Elf, type ElfRelocation, validateLibrary } from "../../../cli/binary/elf.js";
import { writableExports } from "../../../cli/binary/exports.js";
import { readMarks } from "../../../cli/binary/marks.js";
import { bindCandidates, editCopy, writeCopy } from "../../../cli/steps/prepare.js";
import { R_X86_64 } from "../../../schemas/abi.js";
import { copyName } from "../../../schemas/names.js";
import { build, has, run, SAMPLE, workFolder } from "../binary/fixtures.js";

const everything = { bind: () => true };
// clang calls a function of its own file directly unless told that a host may come between.
const linkers = [
  { compiler: "gcc", flags: [] as string[] },
  ...(has("clang") && has("ld.lld")
    ? [{ compiler: "clang", flags: ["-fuse-ld=lld", "-fsemantic-interposition"] }]
    : []),
];

test("asks about functions, constants and code labels, and about nothing that is state or not defined here", async (t) => {
  const folder = await workFolder(t);
  const more = `${SAMPLE}
    extern int elsewhere(void); int (*elsewhere_pointer)(void) = elsewhere;
    int *per_thread_at(void) { return &per_thread; }
    static int resolved(void) { return 1; } static int (*resolve(void))(void) { return resolved; }
    int chosen(void) __attribute__((ifunc("resolve"))); int (*chosen_pointer)(void) = chosen;
    __asm__(".pushsection .data\\n.globl one_in_process\\n.type one_in_process,@gnu_unique_object\\n"
            "one_in_process: .long 1,0\\n.popsection\\n.pushsection .rodata\\n.globl unique_constant\\n"
            ".type unique_constant,@gnu_unique_object\\nunique_constant: .long 1,0\\n.popsection\\n");
    extern int one_in_process, unique_constant; int *unique_at[] = {&one_in_process, &unique_constant};`;
  const bytes = readFileSync(await build(folder, "libsample.so", more));
  const elf = validateLibrary(bytes);
  t.deepEqual(bindCandidates(elf).sort(), ["bare_label", "chosen", "helper", "overridable", "table"]);
  t.deepEqual([...writableExports(elf)].map(([name, { size, unique }]) => [name, size, unique]).sort(), [
    ["big", 256, false],
    ["chosen_pointer", 8, false],
    ["counter", 4, false],
    ["counter_pointer", 8, false],
    ["elsewhere_pointer", 8, false],
    ["helper_pointer", 8, false],
    ["one_in_process", 0, true],
    ["unique_at", 16, false],
  ]);
});

test("sets every flag, edits only relocations of bound names, and never the artifact", async (t) => {
  const folder = await workFolder(t);
  const bytes = readFileSync(await build(folder, "libsample.so", SAMPLE));
  const before = Buffer.from(bytes);
  const elf = validateLibrary(bytes);
  const asked: string[] = [];
  const edited = editCopy(bytes, elf, {
    bind: (name) => {
      asked.push(name);
      return name !== "overridable";
    },
  });
  t.true(bytes.equals(before));
  t.deepEqual(asked.sort(), bindCandidates(elf).sort(), "each once");
  t.deepEqual(edited.leftToHost, ["overridable"]);
  t.deepEqual(edited.bound.sort(), ["bare_label", "helper", "table"]);
  t.is(edited.flags, 1);

  const flags = readMarks(elf).flags.map((at) => at + 15);
  const allowed = new Set([...flags, ...placesOf(elf, edited.bound)]);
  t.deepEqual(
    [...bytes.keys()].filter((at) => bytes[at] !== edited.bytes[at] && !allowed.has(at)),
    [],
  );
  for (const at of flags) t.is(edited.bytes[at], 1);

  const after = validateLibrary(edited.bytes);
  t.deepEqual(bindCandidates(after), ["overridable"]);
  t.deepEqual(
    after.relocations(),
    elf.relocations().map((one) => boundOf(elf, one, edited.bound)),
  );
});

/** What may differ in relocations of these names: r_info and r_addend. */
const placesOf = (elf: Elf, bound: readonly string[]): number[] =>
  elf
    .relocations()
    .filter((one) => bound.includes(elf.dynamicSymbols()[one.symbol]?.name ?? ""))
    .flatMap(({ fileOffset }) => Array.from({ length: 16 }, (_, i) => fileOffset + 8 + i));

/** A relocation as it must be in the copy. */
function boundOf(elf: Elf, one: ElfRelocation, bound: readonly string[]): ElfRelocation {
  const symbol = elf.dynamicSymbols()[one.symbol];
  if (symbol === undefined || !bound.includes(symbol.name)) return one;
  const addend = symbol.value + (one.type === R_X86_64.ABS64 ? one.addend : 0);
  return { ...one, type: R_X86_64.RELATIVE, symbol: 0, addend };
}

test("a function that is picked at load time is picked by the copy's own code, through every kind of reference", async (t) => {
  const folder = await workFolder(t);
  const source = (n: number) => `
    static int picked(void) { return ${n}; }
    static int (*resolve(void))(void) { return picked; }
    int chosen(void) __attribute__((ifunc("resolve")));
    static int (*volatile pointer)(void) = chosen;
    int calls(void) { int (*volatile local)(void) = chosen; return chosen() + 10 * pointer() + 100 * local(); }`;
  const original = await build(folder, "libgame.so", source(1), ["-Wl,-soname,libgame.so"]);
  const host = join(folder, "host");
  await writeFile(
    `${host}.c`,
    `#include <dlfcn.h>
     #include <stdio.h>
     int calls(void);
     int main(int argc, char **argv) {
       void *copy = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
       if (!copy) { puts(dlerror()); return 1; }
       printf("%d %d\\n", calls(), ((int (*)(void))dlsym(copy, "calls"))());
       return 0;
     }`,
  );
  run("gcc", ["-w", "-o", host, `${host}.c`, original, `-Wl,-rpath,${folder}`]);
  mkdirSync(join(folder, "new"));
  const bytes = readFileSync(await build(join(folder, "new"), "libgame.so", source(2), []));
  const output = async (attempt: number, bind: () => boolean) =>
    run(host, [
      await writeCopy(folder, original, 1, attempt, editCopy(bytes, validateLibrary(bytes), { bind }).bytes),
    ]).trim();
  t.is(await output(0, () => false), "111 111", "unbound: the old library picks");
  t.is(await output(1, () => true), "111 222");
});

test("keeps the addend of a pointer into a constant table", async (t) => {
  const folder = await workFolder(t);
  const bytes = readFileSync(await build(folder, "libsample.so", `const int t[8] = {1}; const int *third = t + 3;`));
  const elf = validateLibrary(bytes);
  const { bytes: copy } = editCopy(bytes, elf, everything);
  const table = elf.dynamicSymbols().find((one) => one.name === "t")?.value ?? 0;
  const edited = validateLibrary(copy)
    .relocations()
    .filter((one) => one.type === R_X86_64.RELATIVE && one.addend === table + 12);
  t.is(edited.length, 1);
});

/** A host that links the original, overrides a weak function, and calls into the copy that it opens. */
const HOST = `#include <dlfcn.h>
#include <stdio.h>
int overridable(void) { return 500; }
extern int calls(void); extern int counter;
int main(int argc, char **argv) {
  counter = 40;
  printf("%d\\n", calls());
  void *copy = dlopen(argv[1], RTLD_NOW);
  if (!copy) { puts(dlerror()); return 1; }
  int (*again)(void) = dlsym(copy, "calls");
  printf("%d %d\\n", again(), calls());
  return 0;
}`;
const library = (helper: number, entry: number) => `
  __attribute__((weak)) int overridable(void) { return 100; }
  int counter = 0;
  int helper(void) { return ${helper}; }
  static int (*volatile helper_pointer)(void) = helper;
  const int table[2] = {${entry}, ${entry}};
  int calls(void) { volatile const int *at = table; return helper() + helper_pointer() + at[1] + counter + overridable(); }`;

for (const { compiler, flags } of linkers) {
  test(`a copy built by ${compiler} runs its own helpers and constants, with the host's variables and overrides`, async (t) => {
    const folder = await workFolder(t);
    const original = await build(folder, "libgame.so", library(1, 2), ["-Wl,-soname,libgame.so", ...flags], compiler);
    const host = join(folder, "host");
    await writeFile(`${host}.c`, HOST);
    run("gcc", ["-w", "-o", host, `${host}.c`, original, `-Wl,-rpath,${folder}`]);
    mkdirSync(join(folder, "new"));
    const rebuilt = await build(join(folder, "new"), "libgame.so", library(1000, 20000), flags, compiler);
    const bytes = readFileSync(rebuilt);
    const elf = validateLibrary(bytes);

    const output = async (attempt: number, bind: (name: string) => boolean) =>
      run(host, [await writeCopy(folder, original, 1, attempt, editCopy(bytes, elf, { bind }).bytes)])
        .trim()
        .split("\n");
    const old = 1 + 1 + 2 + 40 + 500;
    t.deepEqual(await output(0, () => false), [`${old}`, `${old} ${old}`], "unbound: all of the copy's calls stay old");
    const fresh = 1000 + 1000 + 20000 + 40 + 500;
    t.deepEqual(await output(1, (name) => name !== "overridable"), [`${old}`, `${fresh} ${old}`]);
    t.deepEqual(await output(2, () => true), [`${old}`, `${fresh - 400} ${old}`], "the override would be lost");
  });
}

const libz = run("gcc", ["-print-file-name=libz.so.1"]).trim();
(libz.startsWith("/") ? test : test.skip)(
  "a prepared copy of the system's libz works with every name bound",
  async (t) => {
    const folder = await workFolder(t);
    const bytes = readFileSync(libz);
    const copy = await writeCopy(folder, libz, 1, 0, editCopy(bytes, validateLibrary(bytes), everything).bytes);
    const host = join(folder, "host");
    await writeFile(
      `${host}.c`,
      `#include <dlfcn.h>
     #include <stdio.h>
     #include <string.h>
     int main(int argc, char **argv) {
       void *z = dlopen(argv[1], RTLD_NOW);
       if (!z) { puts(dlerror()); return 1; }
       int (*pack)(char *, unsigned long *, const char *, unsigned long) = dlsym(z, "compress");
       int (*unpack)(char *, unsigned long *, const char *, unsigned long) = dlsym(z, "uncompress");
       char in[1000], packed[2000], out[1000];
       unsigned long a = sizeof packed, b = sizeof out;
       memset(in, 'x', sizeof in);
       if (pack(packed, &a, in, sizeof in) || unpack(out, &b, packed, a)) return 2;
       printf("%d %d\\n", a < 100, memcmp(in, out, sizeof in));
       return 0;
     }`,
    );
    run("gcc", ["-w", "-o", host, `${host}.c`]);
    t.is(run(host, [copy]), "1 0\n");
  },
);

test("a copy's name says library and generation, and differs after a failed load", (t) => {
  t.is(copyName("/build/libgame.so", 3, 0), "libgame.g3.so");
  t.is(copyName("libgame.so.1.2", 3, 0), "libgame.g3.so.1.2");
  t.is(copyName("libgame.so", 3, 1), "libgame.g3-2.so");
  t.is(copyName("libgame-1.2.so", 10, 2), "libgame-1.2.g10-3.so");
  t.is(copyName("plugin.node", 1, 0), "plugin.g1.node");
  t.is(copyName("plugin", 1, 0), "plugin.g1");
  t.is(copyName("lib.so.so", 1, 0), "lib.so.g1.so");
});

test("a copy is written whole, private, and never over another", async (t) => {
  const folder = await workFolder(t);
  await chmod(folder, 0o700);
  const path = await writeCopy(folder, "libgame.so", 2, 0, Buffer.from("bytes"));
  t.is(path, join(folder, "libgame.g2.so"));
  t.is(readFileSync(path, "utf8"), "bytes");
  t.is(statSync(path).mode & 0o7777, 0o700);
  await t.throwsAsync(writeCopy(folder, "libgame.so", 2, 0, Buffer.from("other")), { code: "EEXIST" });
  t.is(readFileSync(path, "utf8"), "bytes");
  t.deepEqual(readdirSync(folder), ["libgame.g2.so"], "no temporary file is left");
});

test("a copy that cannot be written fails with the file system's own error and leaves nothing", async (t) => {
  const folder = join(await workFolder(t), "absent");
  await t.throwsAsync(writeCopy(folder, "libgame.so", 1, 0, Buffer.from("bytes")), { code: "ENOENT" });
  t.false(existsSync(folder));
});

test("a copy is written through no link, and not into a folder that was opened to others", async (t) => {
  const folder = await workFolder(t);
  await chmod(folder, 0o700);
  const elsewhere = await workFolder(t);
  const link = join(folder, "link");
  symlinkSync(elsewhere, link);
  const write = (into: string) => writeCopy(into, "libgame.so", 1, 0, Buffer.from("bytes"));
  await t.throwsAsync(write(link), { code: "ENOTDIR" });
  symlinkSync(join(elsewhere, "planted"), join(folder, "libgame.g1.so"));
  await t.throwsAsync(write(folder), { code: "EEXIST", message: new RegExp(folder) });
  t.deepEqual(readdirSync(elsewhere), []);
  await chmod(folder, 0o755);
  await t.throwsAsync(write(folder), { message: /opened to others \(mode 755\)/ });
});
