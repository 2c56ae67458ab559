import test from "ava";
import { sameMeaning } from "../../agent/arch/x64/displace.js";

type Meaning = Parameters<typeof sameMeaning>[0];

/** An instruction with one operand and the address after it, as Frida returns it. */
const instruction = (mnemonic: string, behind: number, operand: object): Meaning => {
  const next = { add: (offset: number) => `0x${(behind + offset).toString(16)}` };
  return { mnemonic, operands: [operand], next } as unknown as Meaning;
};

const memory = { base: "rip", index: undefined, scale: 1, disp: 0x100, segment: undefined };
const at = (behind: number, value: object, size = 8): Meaning =>
  instruction("lea", behind, { type: "mem", value: { ...memory, ...value }, size });

test("an instruction that reads the same address from another place is the same", (t) => {
  t.true(sameMeaning(at(0x7000, {}), at(0x5000, { disp: 0x2100 })));
});

for (const [what, other] of [
  ["another place", at(0x5000, { disp: 0x2108 })],
  ["at the same displacement from another place", at(0x5000, {})],
  ["another size", at(0x5000, { disp: 0x2100 }, 4)],
  ["another segment", at(0x5000, { disp: 0x2100, segment: "fs" })],
  ["a register instead", at(0x5000, { base: "rax", disp: 0x2100 })],
] as const)
  test(`an instruction that reads ${what} is different`, (t) => {
    t.false(sameMeaning(at(0x7000, {}), other));
  });

test("a register-based address does not depend on where the instruction is", (t) => {
  t.true(sameMeaning(at(0x7000, { base: "rdi" }), at(0x5000, { base: "rdi" })));
});

test("a branch is the same if it is the same kind of branch to the same address", (t) => {
  const branch = (mnemonic: string, behind: number, value: number) =>
    instruction(mnemonic, behind, { type: "imm", value, size: 8 });
  t.true(sameMeaning(branch("je", 0x7000, 0x7123), branch("je", 0x5000, 0x7123)));
  t.false(sameMeaning(branch("je", 0x7000, 0x7123), branch("je", 0x5000, 0x5123)));
  t.false(sameMeaning(branch("je", 0x7000, 0x7123), branch("jne", 0x5000, 0x7123)));
});
