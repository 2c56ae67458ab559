import test from "ava";
import {
  entryJump,
  functionJump,
  inReach,
  JUMP_SIZE,
  pushAddress,
  THUNK_SIZE,
  thunkOf,
  writeThunk,
} from "../../agent/arch/x64/jumps.js";

const ENTRY = 0x7f12_3456_7000;

const hex = (bytes: Iterable<number>): string => Buffer.from([...bytes]).toString("hex");

/** The thunk's bytes, and where its jump reads its target: the value of r11, and the displacement from it. */
function thunk(at: number, epoch: number, index: number) {
  const code = new DataView(new ArrayBuffer(THUNK_SIZE * 2));
  writeThunk(code, THUNK_SIZE, at, epoch, index);
  return { before: new Uint8Array(code.buffer, 0, THUNK_SIZE), bytes: Buffer.from(code.buffer, THUNK_SIZE) };
}

for (const distance of [0x20, -0x20, 0x6000_0000, -0x6000_0000, 0x7ffe_fff0, -0x7ffe_fff0])
  test(`an entry's jump across ${distance} bytes reaches its thunk`, (t) => {
    const word = entryJump(ENTRY, ENTRY + distance);
    t.is(thunkOf(ENTRY, word), ENTRY + distance);
    const bytes = Buffer.from(Uint32Array.from(word).buffer);
    t.is(bytes[0], 0xe9);
    t.is(bytes.readInt32LE(1), distance - 5);
    t.is(hex(bytes.subarray(5)), "0f1f00", "a no-op fills the entry");
    t.is(hex(functionJump(ENTRY, ENTRY + distance)), hex(bytes.subarray(0, JUMP_SIZE)), "the same jump without a mark");
  });

test("a word that is not a jump has no thunk", (t) => {
  t.is(thunkOf(ENTRY, [0x00841f0f, 0x00000200]), null);
});

test("a jump reaches just under 2 GB either way", (t) => {
  t.true(inReach(ENTRY, ENTRY + 0x7ffe_ffff));
  t.true(inReach(ENTRY + 0x7ffe_ffff, ENTRY));
  t.false(inReach(ENTRY, ENTRY + 0x7fff_0000));
  t.false(inReach(ENTRY + 0x7fff_0000, ENTRY));
});

test("a thunk near the epoch reads it rip-relative", (t) => {
  const { before, bytes } = thunk(ENTRY, ENTRY + 0x1234_5678, 3);
  t.true(before.every((byte) => byte === 0));
  t.is(hex(bytes.subarray(0, 3)), "4c8b1d", "mov r11, [rip+disp32]");
  t.is(ENTRY + 7 + bytes.readInt32LE(3), ENTRY + 0x1234_5678);
  t.is(hex(bytes.subarray(7, 10)), "41ffa3", "jmp [r11+disp32]");
  t.is(bytes.readInt32LE(10), 24);
});

test("a thunk far from the epoch contains its address", (t) => {
  const epoch = ENTRY - 0x1_0000_0000;
  const { bytes } = thunk(ENTRY, epoch, 100_000);
  t.is(hex(bytes.subarray(0, 2)), "49bb", "movabs r11, imm64");
  t.is(bytes.readBigUInt64LE(2), BigInt(epoch));
  t.is(hex(bytes.subarray(10, 13)), "4d8b1b", "mov r11, [r11]");
  t.is(hex(bytes.subarray(13, 16)), "41ffa3", "jmp [r11+disp32]");
  t.is(bytes.readInt32LE(16), 800_000);
});

test("a return address is pushed in two halves", (t) => {
  t.is(hex(pushAddress(0x7f12_8456_7089)), "6889705684" + "c7442404127f0000");
});
