/**
 * Damaged libraries: every reader ends in a result or an ElfError, soon and within the file's own size.
 * Seeded, so that a failure comes back; the failing case's number is in the message.
 */
import { readFileSync } from "node:fs";
import test from "ava";
import { type Elf, ElfError, validateLibrary } from "../../../cli/binary/elf.js";
import { switchHooks, writableExports } from "../../../cli/binary/exports.js";
import { hostKind } from "../../../cli/binary/host.js";
import { type Marks, readMarks } from "../../../cli/binary/marks.js";
import { readState } from "../../../cli/binary/state.js";
import { bindCandidates, type EditedCopy, editCopy } from "../../../cli/steps/prepare.js";
import { PT_DYNAMIC, SHT_DYNSYM, SHT_STRTAB, SHT_SYMTAB } from "../../../schemas/elf.js";
import { cpuTime } from "../../support/cpu-time.js";
import { liveBytes, random } from "../../support/damage.js";
import { build, has, recorded, SAMPLE, workFolder } from "./fixtures.js";

const CASES = 24_000;
const BATCH = 100;
/** Live bytes of all results, per byte of the files. */
const GROWTH = 4;
/** Of processor time, for one file. */
const LONGEST_MS = 1000;

/** Where a number of the file's structure stands: [offset, bytes]. */
type Field = readonly [offset: number, size: 2 | 4 | 8];

/** All fields that the readers believe before they have checked them. */
function fieldsOf(elf: Elf): Field[] {
  const { bytes } = elf;
  const fields: Field[] = [
    [16, 2],
    [18, 2],
    [32, 8],
    [40, 8],
    [52, 2],
    [54, 2],
    [56, 2],
    [58, 2],
    [60, 2],
    [62, 2],
  ];
  const programHeaders = bytes.u64(32);
  for (let index = 0; index < elf.segments.length; index++) {
    const at = programHeaders + 56 * index;
    fields.push([at, 4], [at + 4, 4], [at + 8, 8], [at + 16, 8], [at + 32, 8], [at + 40, 8]);
  }
  for (const { index } of elf.sections) {
    const at = bytes.u64(40) + 64 * index;
    fields.push(
      [at, 4],
      [at + 4, 4],
      [at + 16, 8],
      [at + 24, 8],
      [at + 32, 8],
      [at + 40, 4],
      [at + 44, 4],
      [at + 56, 8],
    );
  }
  const dynamic = elf.segments.find((one) => one.type === PT_DYNAMIC);
  for (let at = dynamic?.offset ?? 0; at < (dynamic?.offset ?? 0) + (dynamic?.fileSize ?? 0); at += 16) {
    fields.push([at, 8], [at + 8, 8]);
  }
  for (const one of elf.relocations())
    fields.push([one.fileOffset, 8], [one.fileOffset + 8, 4], [one.fileOffset + 12, 4]);
  for (const one of [...elf.dynamicSymbols(), ...elf.symbols()]) {
    fields.push(
      [one.fileOffset, 4],
      [one.fileOffset + 4, 2],
      [one.fileOffset + 6, 2],
      [one.fileOffset + 8, 8],
      [one.fileOffset + 16, 8],
    );
  }
  for (const one of elf.sections.filter(({ name }) => /hash|note|hp_marks|hp_types/.test(name))) {
    for (let at = one.offset; at + 4 <= one.offset + one.size; at += 4) fields.push([at, 4]);
  }
  return fields;
}

function mutate(seed: Buffer, fields: readonly Field[], pick: (below: number) => number): Buffer {
  const bytes = Buffer.from(seed);
  const kind = pick(10);
  if (kind === 0) return bytes.subarray(0, pick(bytes.length));
  if (kind === 1) {
    const start = pick(bytes.length);
    return bytes.fill(0, start, start + 1 + pick(bytes.length - start));
  }
  if (kind === 2) {
    for (let flips = 1 + pick(40); flips > 0; flips--) {
      const at = pick(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
    }
    return bytes;
  }
  const odd = [0n, 1n, 7n, 0x7fffn, 0xffffn, 0x7fffffffn, 0xffffffffn, 2n ** 47n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
  for (let edits = 1 + pick(3); edits > 0; edits--) {
    const [offset, size] = fields[pick(fields.length)] ?? [0, 2];
    const near = BigInt(Math.max(0, bytes.length - 64 + pick(128)));
    const choices = [odd[pick(odd.length)] ?? 0n, near, BigInt(pick(bytes.length)), BigInt(pick(64)) * 24n];
    const value = choices[pick(choices.length)] ?? 0n;
    for (let byte = 0; byte < size; byte++) bytes[offset + byte] = Number((value >> BigInt(8 * byte)) & 0xffn);
  }
  return bytes;
}

/** Everything that is done with a file between its writing and its loading. Kept alive to be weighed. */
type Result = { elf: Elf; marks: Marks; names: string[]; copy: EditedCopy; exports: unknown } | ElfError;

function readAll(bytes: Buffer): Result {
  try {
    const elf = validateLibrary(bytes);
    const [marks, names, exports] = [readMarks(elf), bindCandidates(elf), writableExports(elf)];
    readState(elf);
    switchHooks(elf);
    return { elf, marks, names, exports, copy: editCopy(bytes, elf, { bind: (name) => name.length % 2 === 0 }) };
  } catch (error) {
    if (error instanceof ElfError) return error;
    throw error;
  }
}

/** Small libraries of every kind that the readers tell apart. */
async function seedsIn(folder: string): Promise<Buffer[]> {
  const small = ["-nostdlib", "-Wl,-z,noseparate-code"];
  const paths = [
    await build(folder, "gcc.so", SAMPLE),
    await build(folder, "small.so", SAMPLE, [...small, "-Wl,--hash-style=sysv"]),
    await build(folder, "stripped.so", SAMPLE, [...small, "-s"]),
    await build(folder, "recorded.so", recorded("x"), [...small, "-s"]),
    await build(folder, "packed.so", recorded("x"), [...small, "-Wl,-z,pack-relative-relocs"]),
    ...(has("clang") ? [await build(folder, "clang.so", SAMPLE, [], "clang")] : []),
    ...(has("clang") && has("ld.lld") ? [await build(folder, "lld.so", SAMPLE, ["-fuse-ld=lld"], "clang")] : []),
  ];
  // No section headers at all, as sstrip leaves it.
  const bare = Buffer.from(readFileSync(paths[2] ?? ""));
  bare.fill(0, 40, 48).fill(0, 60, 64);
  return [...paths.map((path) => readFileSync(path)), bare];
}

/** @param number of the case, to find it again */
function timed(bytes: Buffer, number: number): { readonly result: Result; readonly ms: number } {
  const started = cpuTime();
  try {
    const result = readAll(bytes);
    hostKind(bytes);
    return { result, ms: cpuTime() - started };
  } catch (error) {
    throw new Error(`case ${number} threw something else`, { cause: error });
  }
}

function kindOf(result: Result): "fit" | "incomplete" | "invalid" | "other" {
  if (!(result instanceof ElfError)) return "fit";
  const { kind } = result;
  return kind === "architecture" || kind === "executable" ? "other" : kind; // two or three bytes decide on both
}

test(`${CASES} damaged libraries end in a result or an ElfError, soon and in little memory`, async (t) => {
  const seeds = (await seedsIn(await workFolder(t))).map((bytes) => {
    t.true(bytes.length < 20_000, `a seed has ${bytes.length} bytes`);
    t.false(readAll(bytes) instanceof ElfError);
    return { bytes, fields: fieldsOf(validateLibrary(bytes)) };
  });

  const pick = random(20240607);
  const kinds = { fit: 0, incomplete: 0, invalid: 0, other: 0 };
  let longest = 0;
  let mostGrowth = 0;
  for (let batch = 0; batch < CASES / BATCH; batch++) {
    const files = Array.from({ length: BATCH }, () => {
      const seed = seeds[pick(seeds.length)];
      return seed === undefined ? Buffer.alloc(0) : mutate(seed.bytes, seed.fields, pick);
    });
    const before = liveBytes();
    const results = files.map((bytes, index) => timed(bytes, batch * BATCH + index));
    const growth = (liveBytes() - before) / files.reduce((sum, bytes) => sum + bytes.length, 0);
    mostGrowth = Math.max(mostGrowth, growth);
    // Read only now, which holds the results until they are weighed.
    for (const { result, ms } of results) {
      longest = Math.max(longest, ms);
      kinds[kindOf(result)]++;
    }
  }
  t.log(kinds, `longest ${longest.toFixed(1)} ms, growth ${mostGrowth.toFixed(2)} bytes per byte of the files`);
  t.true(longest < LONGEST_MS);
  t.true(mostGrowth < GROWTH);
  // Else the mutations would be too harsh, or too mild, to reach the readers' insides.
  for (const [kind, count] of Object.entries(kinds)) t.true(count > CASES / 240, `${kind}: ${count}`);
});

test("a file whose every table claims the whole file is refused before the tables are made", async (t) => {
  const folder = await workFolder(t);
  const seed = readFileSync(await build(folder, "libsample.so", SAMPLE, ["-Wl,-z,noseparate-code"]));
  const elf = validateLibrary(seed);
  const size = 4 * 2 ** 20;
  const file = Buffer.concat([seed, Buffer.alloc(size - seed.length, 0)]);
  for (const { index, type } of elf.sections) {
    // Notes and marked sections come along as they are.
    if (type !== SHT_SYMTAB && type !== SHT_STRTAB && type !== SHT_DYNSYM) continue;
    file.writeBigUInt64LE(0n, elf.bytes.u64(40) + 64 * index + 24);
    file.writeBigUInt64LE(BigInt(size), elf.bytes.u64(40) + 64 * index + 32);
  }
  const before = liveBytes();
  const started = cpuTime();
  t.true(readAll(file) instanceof ElfError);
  t.true(cpuTime() - started < LONGEST_MS);
  t.true(liveBytes() - before < size);
});
