/** What readRecords and readMarks find in records that were written by hand, from docs/marks.md alone. */
import { readFileSync } from "node:fs";
import test, { type ExecutionContext } from "ava";
import { ElfError, validateLibrary } from "../../../cli/binary/elf.js";
import { readMarks } from "../../../cli/binary/marks.js";
import { build, type Recorded, recorded, workFolder } from "./fixtures.js";

async function marksOf(t: ExecutionContext, flags: readonly string[] = [], change: Recorded = {}) {
  const folder = await workFolder(t);
  return readMarks(validateLibrary(readFileSync(await build(folder, "libgame.so", recorded("x", change), flags))));
}

const BUILDS = [
  { what: "as linked", flags: [] },
  { what: "stripped", flags: ["-s"] },
  { what: "with packed relocations", flags: ["-Wl,-z,pack-relative-relocs"] },
  { what: "with packed relocations, stripped", flags: ["-Wl,-z,pack-relative-relocs", "-s"] },
] as const;

for (const { what, flags } of BUILDS)
  test(`a record names the mark at its entry, and its type (${what})`, async (t) => {
    const { functions, records, unnamedBytes } = await marksOf(t, flags);
    t.deepEqual(
      functions.map(({ name, reason, place, size }) => ({ name, reason, place, size })),
      [{ name: "game::value", reason: null, place: "src/game.rs:12", size: 0 }],
    );
    t.is(unnamedBytes, 0);
    t.deepEqual(
      records.functions.map(({ signature, layouts }) => ({ signature, layouts })),
      [
        {
          signature: "fn(&Rule) -> i32",
          layouts: [
            { size: 8, align: 8, hash: 7n },
            { size: 4, align: 4, hash: 0n },
          ],
        },
      ],
    );
    t.deepEqual(
      [...records.types.values()],
      [{ name: "game::Rule", size: 4, align: 4, parts: [{ name: "factor", text: "i32", offset: 0, size: 4 }] }],
    );
  });

test("a record of another version is refused, with both versions named", async (t) => {
  const error = await t.throwsAsync(marksOf(t, [], { version: "2" }), { instanceOf: ElfError });
  t.is(error.message, "a record of hp_marks has version 2; this hotpatch reads version 1");
});

test("a record that leads to code without a mark is refused by its name", async (t) => {
  const error = await t.throwsAsync(marksOf(t, [], { entry: "body" }), { instanceOf: ElfError });
  t.regex(error.message, /the record of game::value points to 0x[0-9a-f]+, where there is no marked code/);
});

test("a record without a name is refused", async (t) => {
  const error = await t.throwsAsync(marksOf(t, [], { name: "" }), { instanceOf: ElfError });
  t.is(error.message, "a record of hp_marks has no name");
});
