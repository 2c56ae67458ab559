/** Where instructions end and lead: by hand, and as objdump says of a real library. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "ava";
import { ARCHES, newInstruction } from "../../../cli/binary/arch/index.js";
import { readElf } from "../../../cli/binary/elf.js";
import { has } from "./fixtures.js";

const [x64] = ARCHES;

/** Bytes -> what is read. Distances count from the first byte. */
const ROWS: readonly (readonly [bytes: string, told: string])[] = [
  ["c3", "1 other ends"],
  ["e800010000", "5 branch 261"],
  ["eb10", "2 branch 18 ends"],
  ["0f8400010000", "6 branch 262"],
  ["7410", "2 branch 18"],
  ["488d0500010000", "7 address 263"],
  ["8b0500010000", "6 memory 262 of 4"],
  ["48c7050001000001000000", "11 memory 267 of 8"],
  ["66c70500010000ffff", "9 memory 265 of 2"],
  ["f20f100500010000", "8 memory 264 of 8"],
  ["f30f590500010000", "8 memory 264 of 4"],
  ["660f6f0500010000", "8 memory 264 of 16"],
  ["c5fc580500010000", "8 memory 264 of 32"],
  ["62f17c48580500010000", "10 memory 266 of 64"],
  ["48b80102030405060708", "10 other"],
  ["f60500010000ff", "7 memory 263 of 1"],
  ["ff2500010000", "6 memory 262 of 8 ends"],
  ["660f1f840000000000", "9 empty"],
  ["90", "1 empty"],
  ["f390", "2 other"],
  ["06", "none"],
  ["e80001", "none"],
  ["8fe8e0a305d8cae10060", "none"],
];

test("each form of an instruction is as long as it is, and leads where it leads", (t) => {
  for (const [bytes, told] of ROWS) {
    const one = newInstruction();
    const found = x64?.decode(Buffer.from(bytes, "hex"), 0, one) ?? false;
    const { size, kind, target, width, ends, fieldSize } = one;
    const words = [
      `${size}`,
      kind,
      ...(fieldSize > 0 ? [`${target}`] : []),
      ...(kind === "memory" ? [`of ${width}`] : []),
      ...(ends ? ["ends"] : []),
    ];
    t.is(found ? words.join(" ") : "none", told, bytes);
  }
});

(has("objdump") && has("g++") ? test : test.skip)("instructions of the C++ library begin where objdump says", (t) => {
  const library = execFileSync("g++", ["-print-file-name=libstdc++.so.6"], { encoding: "utf8" }).trim();
  const elf = readElf(readFileSync(library));
  const section = elf.sections.find(({ name }) => name === ".text");
  if (section === undefined) throw new Error("no code");
  const output = execFileSync("objdump", ["-d", "-j", ".text", "--no-show-raw-insn", library], { maxBuffer: 2 ** 28 });
  const starts = new Set(
    [...output.toString().matchAll(/^ *([0-9a-f]+):\t(?!\(bad\))/gm)].map(([, at]) => Number.parseInt(at ?? "", 16)),
  );
  const code = elf.contentsOf(section);
  const one = newInstruction();
  let wrong = 0;
  for (const start of starts) {
    const at = start - section.addr;
    const next = start + (x64?.decode(code, at, one) ? one.size : 0);
    if (next < section.addr + section.size && !starts.has(next)) wrong++;
  }
  t.true(starts.size > 100_000);
  t.is(wrong, 0);
});
