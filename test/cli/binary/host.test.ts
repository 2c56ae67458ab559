/** Which executables may be hosts, judged from ones that gcc built. */
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { readElf } from "../../../cli/binary/elf.js";
import { copyRelocations, definesSymbol, hostKind } from "../../../cli/binary/host.js";
import { build, run, workFolder } from "./fixtures.js";

async function program(
  folder: string,
  flags: readonly string[],
  source = "int main(void) { return 0; }",
): Promise<string> {
  const path = join(folder, `program${flags.join("")}`.replaceAll("/", "_").slice(-40));
  await writeFile(`${path}.c`, source);
  run("gcc", ["-w", "-o", path, `${path}.c`, ...flags]);
  return path;
}

for (const flags of [["-pie", "-fPIE"], ["-no-pie"]]) {
  test(`a glibc executable of gcc ${flags.join(" ")} is a host, also seen from its first page`, async (t) => {
    const folder = await workFolder(t);
    const bytes = readFileSync(await program(folder, flags));
    t.is(hostKind(bytes).kind, "ok");
    t.regex(hostKind(bytes).detail, /^\/.*ld-linux-x86-64\.so\.2$/);
    t.deepEqual(hostKind(bytes.subarray(0, 4096)), hostKind(bytes));
  });
}

for (const flag of ["-static", "-static-pie"]) {
  test(`an executable of gcc ${flag} is static`, async (t) => {
    const folder = await workFolder(t);
    t.is(hostKind(readFileSync(await program(folder, [flag]))).kind, "static");
  });
}

test("an executable that names musl's loader is a musl host", async (t) => {
  const folder = await workFolder(t);
  const path = await program(folder, ["-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1"]);
  t.deepEqual(hostKind(readFileSync(path)), { kind: "musl", detail: "/lib/ld-musl-x86_64.so.1" });
});

test("the glibc loader run as a program is a host", async (t) => {
  const folder = await workFolder(t);
  const loader = hostKind(readFileSync(await program(folder, []))).detail;
  t.is(hostKind(readFileSync(loader)).kind, "ok");
});

test("a foreign, 32-bit, scripted, empty or cut executable is another architecture, with the reason", async (t) => {
  const folder = await workFolder(t);
  const bytes = readFileSync(await program(folder, []));
  const edited = (offset: number, value: number) => Buffer.from(bytes).fill(value, offset, offset + 1);
  const detail = (file: Buffer) => {
    const kind = hostKind(file);
    return kind.kind === "architecture" ? kind.detail : kind.kind;
  };
  t.regex(detail(edited(18, 183)), /AArch64/);
  t.regex(detail(edited(4, 1)), /32-bit/);
  t.regex(detail(edited(16, 1)), /not an executable/);
  t.regex(detail(Buffer.from(`#!/bin/sh\n${"#".repeat(80)}`)), /not an ELF/);
  t.regex(detail(Buffer.alloc(0)), /empty/);
  t.regex(detail(bytes.subarray(0, 40)), /40 bytes/);
});

test("copied variables and own definitions of a non-PIC host are told from what it only calls", async (t) => {
  const folder = await workFolder(t);
  const library = await build(
    folder,
    "libgame.so",
    "int score = 4; int step(void) { return score; } int own(void) { return 1; }",
  );
  const source = `extern int score; extern int step(void); int own(void) { return 2; } int (*held)(void) = step;
    int main(void) { return score + held() + own(); }`;
  const path = await program(folder, ["-no-pie", "-fno-pic", library], source);
  const elf = readElf(readFileSync(path));
  t.deepEqual([...copyRelocations(elf)], ["score"]);
  t.true(definesSymbol(elf, "own"), "the library refers to it, so the linker exported it");
  t.true(definesSymbol(elf, "score"));
  t.false(definesSymbol(elf, "step"), "its PLT entry has a value, but no section");
  t.false(definesSymbol(elf, "absent"));
});
