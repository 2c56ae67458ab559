/** Seccomp filters as hotpatch reads them, with the kernel as the judge. */
import { spawnSync } from "node:child_process";
import test from "ava";
import { answer } from "../../../../cli/preflight/seccomp/bpf.js";
import { Workshop } from "../../../support/workshop.js";

/**
 * Reads lines of "filter in hex, six arguments"; for each a child installs the filter and calls getpid with the
 * arguments, which getpid ignores. Prints what became of it; "no" where the kernel does not accept the filter.
 */
const JUDGE = `
  #include <errno.h>
  #include <linux/filter.h>
  #include <linux/seccomp.h>
  #include <signal.h>
  #include <stdio.h>
  #include <string.h>
  #include <sys/prctl.h>
  #include <sys/resource.h>
  #include <sys/syscall.h>
  #include <sys/wait.h>
  #include <unistd.h>
  int main(void) {
    static char hex[65536];
    unsigned long a[6];
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    while (scanf("%65535s %lx %lx %lx %lx %lx %lx", hex, a, a + 1, a + 2, a + 3, a + 4, a + 5) == 7) {
      struct sock_filter code[512];
      int n = strlen(hex) / 16, status;
      for (int i = 0; i < n * 8; i++) sscanf(hex + 2 * i, "%2hhx", (unsigned char *)code + i);
      pid_t child = fork();
      if (child == 0) {
        struct sock_fprog program = { n, code };
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(9);
        _exit(syscall(SYS_getpid, a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? 1 : 0);
      }
      waitpid(child, &status, 0);
      puts(WIFSIGNALED(status) ? "kill" : WEXITSTATUS(status) == 9 ? "no" : WEXITSTATUS(status) ? "error" : "allow");
    }
  }`;

const GETPID = 39;
const MASK = 0xffffffffn;

type Instruction = readonly [code: number, jt: number, jf: number, k: number];
const assemble = (program: readonly Instruction[]): Buffer =>
  Buffer.concat(
    program.map(([code, jt, jf, k]) => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt16LE(code, 0);
      bytes.set([jt, jf], 2);
      bytes.writeUInt32LE(k >>> 0, 4);
      return bytes;
    }),
  );

/** The same numbers at every run. Source: xorshift32, Marsaglia 2003. */
function numbers(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const ENDS = [0x80000000, 0x00000000, 0x00030000, 0x00050001, 0x7fff0000, 0x7ffc0000, 0x12340000];

/** Only for getpid: twenty instructions of every kind the kernel takes, then one of the ends. */
function randomFilter(pick: (below: number) => number): Buffer {
  const one = <T>(all: readonly T[]): T => all[pick(all.length)] as T;
  const constant = () => (pick(2) === 0 ? pick(64) : pick(0x7fffffff));
  const body: Instruction[] = [
    [0x02, 0, 0, 3], // M[3] = A: the kernel refuses to read what was not written
    [0x03, 0, 0, 7],
  ];
  const steps: (() => Instruction)[] = [
    () => [0x20, 0, 0, 16 + 4 * pick(12)], // A = an argument's half
    () => [0x20, 0, 0, 16 + 4 * pick(12)],
    () => [0x00, 0, 0, constant()],
    () => [0x01, 0, 0, constant()],
    () => [0x80, 0, 0, 0], // A = sizeof(struct seccomp_data)
    () => [0x60, 0, 0, one([3, 7])],
    () => [0x61, 0, 0, one([3, 7])],
    () => [0x02, 0, 0, one([3, 7])],
    () => [0x03, 0, 0, one([3, 7])],
    () => [0x07, 0, 0, 0],
    () => [0x87, 0, 0, 0],
    () => [0x84, 0, 0, 0],
    () => [0x04 | one([0x00, 0x10, 0x20, 0x40, 0x50, 0xa0]) | one([0, 8]), 0, 0, constant()],
    () => [0x04 | one([0x60, 0x70]), 0, 0, pick(32)],
    () => [0x34, 0, 0, 1 + pick(9)],
  ];
  for (let i = 0; i < 20; i++) body.push(one(steps)());
  body.push([0x05 | one([0x10, 0x20, 0x30, 0x40]) | one([0, 8]), pick(3), pick(3), constant()]);
  body.push([0x06, 0, 0, one(ENDS)], [0x06, 0, 0, one(ENDS)], [0x06, 0, 0, one(ENDS)]);
  return assemble([[0x20, 0, 0, 0], [0x15, 1, 0, GETPID], [0x06, 0, 0, 0x7fff0000], ...body]);
}

test("a filter's answer to a call is the kernel's, for programs of every instruction", async (t) => {
  const shop = new Workshop(t);
  const judge = await shop.host("judge", JUDGE);
  const pick = numbers(20_260_131);
  const cases = Array.from({ length: 600 }, () => ({
    filter: randomFilter(pick),
    args: Array.from({ length: 6 }, () => (BigInt(pick(0x7fffffff)) << 32n) | (BigInt(pick(0x7fffffff)) & MASK)),
  }));
  const input = cases.map(
    ({ filter, args }) => `${filter.toString("hex")} ${args.map((a) => a.toString(16)).join(" ")}`,
  );
  const { stdout } = spawnSync(judge, { input: input.join("\n"), encoding: "utf8", timeout: 30_000 });
  const judged = stdout.trimEnd().split("\n");
  t.is(judged.length, cases.length);
  const seen = { kill: 0, error: 0, allow: 0 };
  judged.forEach((kernel, i) => {
    const { filter, args } = cases[i] as (typeof cases)[number];
    if (kernel === "no") return;
    const ours = answer([filter], { nr: GETPID, args });
    t.is(ours, kernel as typeof ours, `${filter.toString("hex")} for ${args.join(" ")}`);
    seen[ours] += 1;
  });
  for (const [what, n] of Object.entries(seen)) t.true(n > 50, `${n} of ${what}`);
});

test("of several filters the strictest answer counts", (t) => {
  const returns = (value: number) => assemble([[0x06, 0, 0, value]]);
  const call = { nr: GETPID, args: [] };
  t.is(answer([], call), "allow");
  t.is(answer([returns(0x7fff0000), returns(0x00050001)], call), "error");
  t.is(answer([returns(0x00000000), returns(0x00050001)], call), "kill");
  t.is(answer([returns(0x00000000), returns(0x80000000), returns(0x7fff0000)], call), "kill");
});
