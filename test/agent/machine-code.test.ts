/** Disassembles the hand-assembled bytes in agent/arch/x64: a miscounted jump would crash a host. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { NOTICE, NOTICE_CODE } from "../../agent/arch/x64/loader-notice.js";
import { THREAD_CODE } from "../../agent/arch/x64/thread-code.js";

/** Instructions by address. */
function disassemble(code: readonly number[]): Map<number, string> {
  const folder = mkdtempSync(join(tmpdir(), "hotpatch-code-"));
  try {
    const file = join(folder, "code.bin");
    writeFileSync(file, new Uint8Array(code));
    const text = execFileSync("objdump", ["-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", file], {
      encoding: "utf8",
    });
    const lines = [...text.matchAll(/^ +([0-9a-f]+):\t[0-9a-f ]+\t(.*)$/gm)];
    return new Map(lines.map(([, at = "", instruction = ""]) => [Number.parseInt(at, 16), instruction.trim()]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const [what, code, starts] of [
  ["the code of our threads", THREAD_CODE.bytes, Object.values(THREAD_CODE.offsets)],
  ["the loader notice", NOTICE_CODE, [0, NOTICE.watchAt]],
] as const)
  test(`every jump of ${what} goes to an instruction`, (t) => {
    const found = disassemble(code);
    t.true(found.size > 20);
    for (const start of starts) t.true(found.has(start), `nothing begins at ${start}`);
    for (const [at, instruction] of found) {
      t.notRegex(instruction, /bad/, `at ${at}`);
      const [, target] = /^j\w+ +0x([0-9a-f]+)/.exec(instruction) ?? [];
      if (target !== undefined) t.true(found.has(Number.parseInt(target, 16)), `${instruction} at ${at}`);
    }
  });

test("the loader notice's stub preserves every register", (t) => {
  const stub = [...disassemble(NOTICE_CODE)]
    .filter(([at]) => at < NOTICE.watchAt)
    .map(([, instruction]) => instruction);
  const registers = (name: string) =>
    stub.flatMap((instruction) => {
      const [, operation, register] = /^(push|pop) +(\w+)$/.exec(instruction) ?? [];
      return operation === name && register !== undefined ? [register] : [];
    });
  t.deepEqual(registers("pop"), registers("push").reverse());
  t.is(registers("push").length, 10);
});
