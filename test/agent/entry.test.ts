import test from "ava";
import { entryProblem, GCC_ENTRY } from "../../agent/arch/x64/entry.js";
import { ENTRY_NOPS } from "../../schemas/abi.js";

const ENTRY = 0x7f12_3456_7000;

const wordOf = (bytes: string): [number, number] => {
  const memory = Buffer.from(bytes, "hex");
  return [memory.readUInt32LE(0), memory.readUInt32LE(4)];
};

for (const [compiler, nop] of Object.entries(ENTRY_NOPS))
  test(`the no-op that ${compiler} emits is an entry if it is aligned`, (t) => {
    t.is(entryProblem(ENTRY, wordOf(nop)), null);
    t.regex(entryProblem(ENTRY + 4, wordOf(nop)) ?? "", /aligned|8/);
  });

test("other code is reported with its bytes", (t) => {
  t.is(
    entryProblem(ENTRY, wordOf("f30f1efa554889e5")),
    "its entry is not one 8-byte no-op (it reads e5 89 48 55 fa 1e 0f f3, last byte first)",
  );
});

test("gcc's entry is a pattern of bytes in memory order", (t) => {
  t.is(GCC_ENTRY.replaceAll(" ", ""), ENTRY_NOPS.gcc);
  t.regex(GCC_ENTRY, /^([0-9a-f]{2} ){7}[0-9a-f]{2}$/);
});
