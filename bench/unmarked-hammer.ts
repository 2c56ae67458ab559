/**
 * `node dist/bench/unmarked-hammer.js [rounds]`: four threads run four unmarked functions that call each other, without
 * a pause, while sessions adopt them, switch, and restore their bytes. Reports how many hosts died and how long the
 * host was stopped at most. The result is in docs/decisions.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBackend } from "../cli/frida/open.js";
import { Chooser } from "../cli/library/unmarked.js";
import { inspect } from "../cli/steps/inspect.js";
import { AGENT_PROTOCOL } from "../schemas/protocol.js";
import { machine } from "./machine.js";

const LIBRARY = `
long leaf(long x) { return x + 1; }
static long middle(long x) { return leaf(x) + 1; }
long deep(long x) { return x == 0 ? 0 : middle(deep(x - 1)) - 1; }
double mix(long a, double b) { return a * b + leaf(0); }
`;
/**
 * Prints, per line: calls, wrong results, the longest time between two rounds of a thread in microseconds since the
 * last line.
 */
const HOST = `
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
static long (*leaf)(long), (*deep)(long);
static double (*mix)(long, double);
static atomic_long calls, wrong, longest;
static long now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000 + t.tv_nsec / 1000; }
static void *hammer(void *p) {
  for (long before = now();;) {
    for (int i = 0; i < 100; i++) wrong += (leaf(1) != 2) + (deep(9) != 9) + (mix(3, 0.5) != 2.5);
    calls += 3000;
    long t = now();
    if (t - before > longest) longest = t - before;
    before = t;
  }
  return p;
}
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  leaf = (long (*)(long))dlsym(library, "leaf");
  deep = (long (*)(long))dlsym(library, "deep");
  mix = (double (*)(long, double))dlsym(library, "mix");
  pthread_t thread;
  for (int i = 0; i < 4; i++) pthread_create(&thread, NULL, hammer, NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (;;) { usleep(100000); printf("calls %ld wrong %ld longest %ld\\n", calls, wrong, atomic_exchange(&longest, 0)); }
  return argc - 2;
}
`;
const FLAGS: readonly (readonly string[])[] = [
  ["-O0"],
  ["-O2", "-fno-inline", "-flive-patching=inline-only-static", "-fpatchable-function-entry=16"],
  ["-O2", "-fno-inline", "-flive-patching=inline-only-static"],
];

/** Frida accounts for most of the time of an attach. */
const ROUNDS_PER_ATTACH = 50;

const rounds = Number(process.argv[2] ?? 100);
const agent = readFileSync(fileURLToPath(new URL("../agent.js", import.meta.url)), "utf8");
const folder = mkdtempSync(join(tmpdir(), "hotpatch-hammer-"));
try {
  console.log(machine());
  for (const flags of FLAGS) await hammer(flags);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function hammer(flags: readonly string[]): Promise<void> {
  const [source, library, program] = ["lib.c", "libhammered.so", "host"].map((name) => join(folder, name));
  if (source === undefined || library === undefined || program === undefined) return;
  writeFileSync(source, LIBRARY);
  execFileSync("gcc", ["-g", ...flags, "-fPIC", "-shared", "-o", library, source]);
  writeFileSync(source, HOST);
  execFileSync("gcc", ["-O2", "-o", program, source, "-ldl", "-lpthread"]);
  const chooser = new Chooser(["*"]);
  const inspection = inspect(library, "libhammered.so", readFileSync(library), "", (elf, marks) =>
    chooser.choose(elf, marks, new Set()),
  );
  if (inspection.kind !== "fit") throw new Error(inspection.report.detail);
  const functions = [...inspection.artifact.choice.functions];

  const host = spawn(program, [library], { stdio: ["ignore", "pipe", "inherit"] });
  let last = "";
  let longest = 0;
  host.stdout.setEncoding("utf8");
  host.stdout.on("data", (text: string) => {
    last = text.trimEnd().split("\n").at(-1) ?? last;
    longest = Math.max(longest, ...[...text.matchAll(/longest (\d+)/g)].map(([, us]) => Number(us)));
  });
  const backend = await openBackend("auto");
  let [adopted, refused, done] = [0, 0, 0];
  const times: number[] = [];
  try {
    while (done < rounds && host.exitCode === null && host.signalCode === null) {
      const target = await backend.attach(host.pid ?? 0, agent);
      for (let i = 0; i < ROUNDS_PER_ATTACH && done < rounds; i++, done++) {
        const begin = {
          protocol: AGENT_PROTOCOL,
          owner: process.pid,
          libraries: ["libhammered.so"],
          unmarked: true,
          stage: null,
          stopped: false,
          carrier: target.carrier,
        };
        await target.call("begin", begin);
        const start = performance.now();
        const answer = await target.call("adopt", { library: "libhammered.so", functions });
        times.push(performance.now() - start);
        if (answer.ok) {
          adopted += answer.value.adopted.length;
          refused += answer.value.refused.length;
        }
        await target.call("end", { keep: false });
      }
      await target.detach();
    }
  } finally {
    await backend.close();
    host.kill("SIGKILL");
  }
  const died = host.exitCode !== null || host.signalCode !== null ? ", HOST DIED" : "";
  console.log(`gcc ${flags.join(" ")}: ${done} rounds${died}, ${adopted} adopted, ${refused} refused, ${last}`);
  times.sort((a, b) => a - b);
  const at = (part: number) => (times[Math.floor(part * times.length)] ?? 0).toFixed(1);
  console.log(`  adopting: median ${at(0.5)} ms, p95 ${at(0.95)} ms, the call to the agent included`);
  console.log(`  longest time between two looks at the clock: ${longest} us`);
}
