import test from "ava";
import { thunkOf } from "../../agent/arch/x64/jumps.js";
import { NOTICE, noticeJump } from "../../agent/arch/x64/loader-notice.js";

const AT = 0x7f12_3456_7010;
const STUB = AT - 0x40_0000;

/** What is written over a loader function that starts with these sixteen bytes. */
function jump(code: string) {
  const bytes = Buffer.from(code.replaceAll(" ", ""), "hex");
  return noticeJump(AT, [bytes.readUInt32LE(0), bytes.readUInt32LE(4)], new Uint8Array(bytes), STUB);
}

const bytesOf = ([low, high]: readonly [number, number]): string =>
  Buffer.from(Uint32Array.of(low, high).buffer).toString("hex");

test("a lone ret becomes the jump", (t) => {
  const found = jump("c3 66 2e 0f 1f 84 00 00 00 00 00 0f 1f 44 00 00");
  t.is(found?.behind, null);
  t.is(thunkOf(AT, found?.word ?? [0, 0]), STUB);
});

const ENDBR = "f3 0f 1e fa c3 66 2e 0f 1f 84 00 00 00 00 00 90";

test("after an endbr64 a short jump skips to one in the padding", (t) => {
  const found = jump(ENDBR);
  t.is(bytesOf(found?.word ?? [0, 0]), "f30f1efaeb02" + "2e0f", "eb 02 where ret was: to the ninth byte");
  const [e9, ...displacement] = found?.behind ?? [];
  t.is(e9, 0xe9);
  t.is(AT + 8 + 5 + Buffer.from(displacement).readInt32LE(0), STUB);
});

test("a jump that is already there is redirected", (t) => {
  const found = jump("f3 0f 1e fa eb 02 2e 0f e9 00 00 00 00 00 00 90");
  t.deepEqual(found, jump(ENDBR));
});

test("a jump left in the padding by an earlier session is reused, any other is not", (t) => {
  const left = Buffer.from(jump(ENDBR)?.behind ?? []).toString("hex");
  t.deepEqual(jump(`f3 0f 1e fa c3 66 2e 0f ${left} 00 00 90`), jump(ENDBR));
  t.is(jump("f3 0f 1e fa c3 66 2e 0f e9 12 34 56 78 00 00 90"), null);
});

for (const [what, code] of [
  ["does something", "55 48 89 e5 c3 90 90 90 90 90 90 90 90 90 90 90"],
  ["does something behind its endbr64", "f3 0f 1e fa 55 48 89 e5 c3 90 90 90 90 90 90 90"],
  ["has another close behind it", "f3 0f 1e fa c3 90 90 90 55 48 89 e5 c3 90 90 90"],
  ["has another closer behind it", "c3 90 90 90 55 48 89 e5 c3 90 90 90 90 90 90 90"],
] as const)
  test(`a function that ${what} is left alone`, (t) => {
    t.is(jump(code), null);
  });

test("what a forked child keeps is before the page, within reach of the code", (t) => {
  for (const offset of Object.values(NOTICE.fixed)) t.true(offset < 0 && offset >= -128, "a displacement of one byte");
});
