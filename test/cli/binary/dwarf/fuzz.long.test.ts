/**
 * Damaged debug information: it ends in layouts, in found copies of functions or in reasons, soon and in little memory, and is never taken for sound
 * where it cannot be followed. Seeded, so that a failure comes back; the failing case's number is in the message.
 */
import { readFileSync } from "node:fs";
import test from "ava";
import { bodiesAt } from "../../../../cli/binary/dwarf/bodies.js";
import { readLayouts } from "../../../../cli/binary/dwarf/read.js";
import { type Elf, readElf } from "../../../../cli/binary/elf.js";
import { Comparison } from "../../../../cli/layout/compare.js";
import type { Layouts } from "../../../../cli/layout/type.js";
import { STT_FUNC } from "../../../../schemas/elf.js";
import { cpuTime } from "../../../support/cpu-time.js";
import { liveBytes, random } from "../../../support/damage.js";
import { build, has, MARK, workFolder } from "../fixtures.js";

const CASES = 8_000;
const BATCH = 100;
/** Live bytes of all results, per byte of the files. */
const GROWTH = 4;
/** Of processor time, for one file. */
const LONGEST_MS = 1000;

const SOURCE = `${MARK}
enum color { RED, GREEN = 5 };
union number { int i; double d; };
typedef struct { unsigned a : 3, b : 5; char name[8]; } flags;
struct node { struct node *next; enum color c; union number n; flags fl; int (*on)(struct node *, ...); };
struct elsewhere;
#ifdef __cplusplus
extern "C" {
#endif
HP int f(struct node *n, struct elsewhere *e, int x);
HP int f(struct node *n, struct elsewhere *e, int x) { return n->c + x; }
HP void g(void);
HP void g(void) {}
static inline __attribute__((always_inline)) int scale(int x) { return x * 3; }
int (*volatile taken)(int) = scale;
int draw(int x) { return scale(x) + 1; }
#ifdef __cplusplus
}
#endif
`;

const DEBUG = /^\.z?debug_(info|types|abbrev|str|line_str|str_offsets|addr|ranges|rnglists|line)/;

function mutate(seed: Buffer, elf: Elf, pick: (below: number) => number): Buffer {
  const bytes = Buffer.from(seed);
  const sections = elf.sections.filter(({ name }) => DEBUG.test(name));
  for (let edits = 1 + pick(6); edits > 0; edits--) {
    const section = sections[pick(sections.length)];
    if (section === undefined || section.size === 0) continue;
    const at = section.offset + pick(section.size);
    const left = section.offset + section.size - at;
    const kind = pick(5);
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
    else if (kind === 1) bytes[at] = pick(256);
    else if (kind === 2) bytes.fill(0x80 + pick(128), at, at + Math.min(left, 1 + pick(24)));
    else if (kind === 3) bytes.fill(0, at, at + Math.min(left, 1 + pick(24)));
    else {
      // A stretch put somewhere else: entries that overlap, and refer to what they should not.
      const from = section.offset + pick(section.size);
      bytes.copy(bytes, at, from, Math.min(from + 1 + pick(40), section.offset + section.size, from + left));
    }
  }
  return bytes;
}

/** Whatever is wrong with the bytes, inlined copies are found or a problem is told; never an error. */
function bodiesOf(bytes: Buffer): void {
  const elf = readElf(bytes);
  const functions = elf.symbols().filter(({ type, value }) => type === STT_FUNC && value !== 0);
  const bodies = bodiesAt(elf, new Set(functions.map(({ value }) => value)));
  bodies.dropped(new Set(functions.map(({ name }) => name)));
  for (const described of bodies.at.values()) void [described.names, described.inlinedUntold, described.file];
}

function layoutsOf(bytes: Buffer): Layouts {
  const elf = readElf(bytes);
  const marks = elf.symbols().filter(({ type, name }) => type === STT_FUNC && /^[fg]$/.test(name));
  return readLayouts(elf, "lib.so", new Map(marks.map(({ name, value }) => [name, [value]])), new Map(), () => null);
}

test(`${CASES} libraries with damaged debug information end in layouts or reasons, soon and in little memory`, async (t) => {
  const folder = await workFolder(t);
  const lean = ["-g", "-nostdlib", "-Wl,-z,noseparate-code"];
  const paths = [
    await build(folder, "five.so", SOURCE, [...lean, "-gdwarf-5"]),
    await build(folder, "four.so", SOURCE, [...lean, "-gdwarf-4", "-fdebug-types-section"]),
    await build(folder, "long.so", SOURCE, [...lean, "-gdwarf64"]),
    await build(folder, "packed.so", SOURCE, [...lean, "-gz=zlib"]),
    await build(folder, "cpp.so", SOURCE, [...lean, "-fno-exceptions"], "g++"),
    ...(has("clang") ? [await build(folder, "clang.so", SOURCE, [...lean, "-fuse-ld=bfd"], "clang")] : []),
  ];
  const seeds = paths.map((path) => {
    const bytes = readFileSync(path);
    const elf = readElf(bytes);
    const layouts = layoutsOf(bytes);
    t.true(
      [...layouts.functions.values()].some((one) => one.known),
      path,
    );
    return { bytes, elf, layouts };
  });

  const pick = random(20250311);
  const kinds = { same: 0, changed: 0, unknown: 0 };
  let [longest, mostGrowth] = [0, 0];
  for (let batch = 0; batch < CASES / BATCH; batch++) {
    const files = Array.from({ length: BATCH }, () => {
      const seed = seeds[pick(seeds.length)] ?? seeds[0];
      if (seed === undefined) throw new Error("no seed was built");
      return { seed, bytes: mutate(seed.bytes, seed.elf, pick) };
    });
    const results: Layouts[] = [];
    const before = liveBytes();
    for (const [index, { seed, bytes }] of files.entries()) {
      const started = cpuTime();
      try {
        bodiesOf(bytes);
        const layouts = layoutsOf(bytes);
        kinds[new Comparison(seed.layouts, layouts).function("f").kind] += 1;
        results.push(layouts);
      } catch (error) {
        throw new Error(`case ${batch * BATCH + index} threw`, { cause: error });
      }
      longest = Math.max(longest, cpuTime() - started);
    }
    const growth = (liveBytes() - before) / files.reduce((sum, { bytes }) => sum + bytes.length, 0);
    mostGrowth = Math.max(mostGrowth, growth);
    t.is(results.length, BATCH); // and holds the results until they are weighed
  }
  t.log(kinds, `longest ${longest.toFixed(1)} ms, growth ${mostGrowth.toFixed(2)} bytes per byte of the files`);
  t.true(longest < LONGEST_MS);
  t.true(mostGrowth < GROWTH);
  for (const [kind, count] of Object.entries(kinds)) t.true(count > CASES / 100, `${kind}: ${count}`);
});
