/** What readMarks finds in libraries that gcc and clang built. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { validateLibrary } from "../../../cli/binary/elf.js";
import { type Marks, readMarks } from "../../../cli/binary/marks.js";
import { cleanName, UNALIGNED } from "../../../schemas/names.js";
import { build, has, MARK, run, SAMPLE, workFolder } from "./fixtures.js";

const marksOf = (path: string): Marks => readMarks(validateLibrary(readFileSync(path)));
const compilers = ["gcc", "clang"].filter(has);

for (const compiler of compilers) {
  for (const flags of ["-O0", "-O2", "-O3 -flto -fuse-ld=lld", "-O2 -fcf-protection=full", "-Os -fvisibility=hidden"]) {
    if (compiler === "gcc" && flags.includes("lld")) continue; // lld cannot read gcc's intermediate code
    const usable = !flags.includes("lld") || has("ld.lld");
    (usable ? test : test.skip)(
      `finds the marked functions of ${compiler} ${flags}, each with its entry`,
      async (t) => {
        const folder = await workFolder(t);
        const marks = marksOf(await build(folder, "libsample.so", SAMPLE, flags.split(" "), compiler));
        t.deepEqual(
          marks.functions.map(({ name, entry, reason }) => ({ name, entry, reason })),
          ["marked", "marked_too"].map((name) => ({ name, entry: compiler === "gcc" ? "gcc" : "clang", reason: null })),
        );
        t.is(marks.unnamedBytes, 0);
        t.true(marks.codeBytes > 16);
        t.is(marks.flags.length, 1);
      },
    );
  }

  test(`exported marks of ${compiler} keep their names when the library is stripped, hidden ones become unnamed bytes`, async (t) => {
    const folder = await workFolder(t);
    const hidden = `${SAMPLE}
      #undef HP_VISIBILITY
      #define HP_VISIBILITY "hidden"
      HP int secret(int x);
      HP int secret(int x) { return x * counter + 99; }
      #undef HP_VISIBILITY
      #define HP_VISIBILITY "default"
      HP int after_it(int x);
      HP int after_it(int x) { return secret(x); }`;
    const path = await build(folder, "libsample.so", hidden, ["-O2"], compiler);
    const before = marksOf(path);
    t.deepEqual(before.functions.map((one) => one.name).sort(), ["after_it", "marked", "marked_too", "secret"]);
    t.is(before.unnamedBytes, 0);
    run("strip", [path]);
    const after = marksOf(path);
    t.deepEqual(after.functions.map((one) => one.name).sort(), ["after_it", "marked", "marked_too"]);
    const secret = before.functions.find((one) => one.name === "secret");
    t.true(after.unnamedBytes >= (secret?.size ?? 1), `${after.unnamedBytes} bytes`);
    t.true(after.unnamedBytes < (secret?.size ?? 0) + 16, `${after.unnamedBytes} bytes, ${secret?.size}`);
    t.is(after.codeBytes, before.codeBytes);
  });
}

test("gcc's CET build has its endbr64 behind the entry", async (t) => {
  const folder = await workFolder(t);
  const path = await build(folder, "libsample.so", SAMPLE, ["-O2", "-fcf-protection=full"]);
  const elf = validateLibrary(readFileSync(path));
  const [first] = readMarks(elf).functions;
  const at = elf.fileOffsetOf(first?.value ?? 0) ?? 0;
  t.is(elf.bytes.buffer.toString("hex", at, at + 12), "488da42400000000f30f1efa");
});

(compilers.includes("clang") ? test : test.skip)(
  "a clang mark without nocf_check is found, with a reason instead of an entry",
  async (t) => {
    const folder = await workFolder(t);
    const source = SAMPLE.replace(", nocf_check", "");
    const marks = marksOf(await build(folder, "libsample.so", source, ["-fcf-protection=full"], "clang"));
    t.is(marks.functions.length, 2);
    for (const one of marks.functions) {
      t.is(one.entry, null);
      t.regex(one.reason ?? "", /endbr64.*nocf_check/);
    }
  },
);

test("a function in the section that is too short, without an entry or at an odd address has a reason", async (t) => {
  const folder = await workFolder(t);
  const asm = (name: string, code: string) =>
    `".globl ${name}\\n.type ${name},@function\\n${name}:\\n${code}\\n.size ${name},.-${name}\\n"\n`;
  const source = `__asm__(".pushsection hotpatch,\\"ax\\"\\n.p2align 4\\n"
    ${asm("plain", ".byte 0x8d,0x47,0x01,0xc3,0x90,0x90,0x90,0x90")} "nop\\n"
    ${asm("odd", ".byte 0x48,0x8d,0xa4,0x24,0,0,0,0; ret")} ".p2align 3\\n"
    ${asm("tiny", "ret")} ".popsection\\n");`;
  const { functions } = marksOf(await build(folder, "libsample.so", source));
  t.deepEqual(
    functions.map(({ name, entry, reason }) => ({ name, entry, reason })),
    [
      { name: "plain", entry: null, reason: "it starts with 8d 47 01 c3 90 90 90 90, not with a patchable entry" },
      { name: "odd", entry: null, reason: UNALIGNED },
      { name: "tiny", entry: null, reason: "its first 8 bytes are outside the marked section" },
    ],
  );
});

test("two statics of one name are told apart by their source files", async (t) => {
  const folder = await workFolder(t);
  const source = (value: number) =>
    `${MARK.replace("visibility(HP_VISIBILITY), ", "")}
     HP static int same(int x) { return x * ${value}; } int (*const use_${value})(int) = same;`;
  await build(folder, "one.so", source(3));
  await build(folder, "two.so", source(5));
  const path = join(folder, "libboth.so");
  run("gcc", ["-w", "-shared", "-fPIC", "-O2", "-o", path, join(folder, "one.so.c"), join(folder, "two.so.c")]);
  const marks = marksOf(path);
  t.deepEqual(
    marks.functions.map(({ name, file }) => ({ name, file })),
    [
      { name: "same", file: "one.so.c" },
      { name: "same", file: "two.so.c" },
    ],
  );
  t.is(marks.flags.length, 2, "each file brought a flag");
  const bytes = readFileSync(path);
  for (const at of marks.flags) t.is(bytes.toString("latin1", at, at + 16), "HOTPATCH-FLAG1\0\0");
});

test("an alias of a marked function is a mark of its own name", async (t) => {
  const folder = await workFolder(t);
  const source = `${SAMPLE} extern int alias_of_it(int) __attribute__((alias("marked")));`;
  const { functions } = marksOf(await build(folder, "libsample.so", source));
  t.deepEqual(functions.map((one) => one.name).sort(), ["alias_of_it", "marked", "marked_too"]);
});

test("a library without marks has none", async (t) => {
  const folder = await workFolder(t);
  const marks = marksOf(await build(folder, "libplain.so", "int plain(void) { return 1; }"));
  t.deepEqual(marks, {
    functions: [],
    sections: [],
    codeBytes: 0,
    unnamedBytes: 0,
    flags: [],
    records: { functions: [], types: new Map(), compiler: null },
  });
});

test("names lose the suffixes that compilers add, and nothing else", (t) => {
  const cases: Record<string, string> = {
    "f.lto_priv.0": "f",
    "f.constprop.0": "f",
    "f.constprop.0.isra.12": "f",
    "f.part.3.cold": "f",
    "f.cold": "f",
    "f.llvm.1234567890123": "f",
    "f.isra.0.lto_priv.1": "f",
    ".cold": ".cold",
    "f.partly": "f.partly",
    "a.b.constprop.x": "a.b.constprop.x",
    _ZN1A1fEv: "_ZN1A1fEv",
  };
  for (const [symbol, name] of Object.entries(cases)) t.is(cleanName(symbol), name);
});
