/**
 * `npm run bench:stalls [rounds]`: what a client of a real server notices of a session. One client queries redis, nginx
 * and Postgres without a pause; per phase: the median, the 99th percentile and the longest of its requests, quiet and
 * with both cores taken by others. Servers that are not installed are left out.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Lines, ROOT } from "../test/support/workshop.js";
import { machine } from "./machine.js";
import { build, quantile } from "./measure.js";
import { type Kind, NGINX, POSTGRES, REDIS, type Server } from "./servers.js";
import { HotpatchTool } from "./tool.js";

const ROUNDS = Number(process.argv[2] ?? 10);
/** ms observed without a session; and after the end of a phase, for late effects. */
const QUIET_MS = 2000;
const LATE_MS = 50;
const PHASES = ["no session", "attach", "switch", "status", "rollback", "end"] as const;
type Phase = (typeof PHASES)[number];

/** One phase in one round, in ns of the client's clock. */
interface Span {
  readonly phase: Phase;
  readonly from: bigint;
  readonly to: bigint;
}

/** argv[3] selects a single server. */
const KINDS = [REDIS, NGINX, POSTGRES].filter(({ name }) => (process.argv[3] ?? name) === name);

const folder = mkdtempSync(join(tmpdir(), "hotpatch-bench-"));
const client = join(folder, "client");

function startClient(server: Server, file: string): ChildProcess {
  const words = [server.greeting, server.request, server.last].map((one) => one.toString("hex"));
  return spawn(client, [String(server.port), ...words, file], { stdio: ["ignore", "pipe", "inherit"] });
}

/** Rounds of one session each. */
async function sessions(host: number, library: string, next: (n: number) => string): Promise<Span[]> {
  const spans: Span[] = [];
  const during = async <T>(phase: Phase, work: () => Promise<T>): Promise<T> => {
    const from = process.hrtime.bigint();
    const done = await work();
    await wait(LATE_MS);
    spans.push({ phase, from, to: process.hrtime.bigint() });
    return done;
  };
  await during("no session", () => wait(QUIET_MS));
  for (let round = 0; round < ROUNDS; round++) {
    const tool = await during("attach", () => HotpatchTool.attach(host, library));
    const edited = next(round + 1);
    await wait(LATE_MS);
    await during("switch", () => {
      renameSync(edited, library);
      return tool.event("generation:switched");
    });
    await during("status", () => {
      tool.send({ command: "status" });
      return tool.event("status");
    });
    const from = tool.lines.all.length;
    await during("rollback", () => {
      tool.send({ command: "rollback", generation: 0 });
      return tool.switched(0, from);
    });
    await during("end", () => tool.end());
    copyFileSync(`${library}.first`, edited);
    renameSync(edited, library); // what runs, so that the next session has nothing to load
  }
  return spans;
}

async function measure(kind: Kind): Promise<void> {
  const own = mkdtempSync(join(folder, "server-"));
  execFileSync("chmod", ["755", folder, own]); // Postgres runs as another user
  let made = 0;
  const next = (n: number) => build(own, `next${made++}.so`, kind.source(n), kind.flags());
  const library = join(own, "libpatched.so");
  renameSync(next(0), library);
  copyFileSync(library, `${library}.first`);
  const server = await kind.start(own, library);
  const file = join(own, "times");
  try {
    const asking = startClient(server, file);
    const ended = new Promise((resolve) => asking.once("exit", resolve));
    try {
      if (asking.stdout === null) throw new Error("the client has no output");
      await new Lines(asking.stdout).next((line) => line === "answered", "the first answer");
      const spans = await sessions(server.host(), library, next);
      if (asking.exitCode !== null) throw new Error(`the client ended with ${asking.exitCode}: see above`);
      asking.kill("SIGTERM");
      await ended;
      report(server, readFileSync(file), spans);
    } finally {
      asking.kill("SIGKILL");
    }
  } finally {
    await server.end();
  }
}

const fixed = (ns: number): string => (ns / 1e6).toFixed(2);

function report(server: Server, times: Buffer, spans: readonly Span[]): void {
  const at = new BigInt64Array(times.buffer, times.byteOffset, times.length >> 3);
  console.log(`\n${server.name} ${server.version}: ms of a request, load average ${loadavg()[0]?.toFixed(1)}\n`);
  console.log("| phase | requests | p50 | p99 | longest of a round: median | longest |\n|---|---|---|---|---|---|");
  for (const phase of PHASES) {
    const rounds = spans
      .filter((span) => span.phase === phase)
      .map(({ from, to }) => {
        const within: number[] = [];
        for (let i = 0; i + 1 < at.length; i += 2) {
          const [sent, took] = [at[i] ?? 0n, at[i + 1] ?? 0n];
          if (sent <= to && sent + took >= from) within.push(Number(took));
        }
        return within;
      });
    const all = rounds.flat();
    const longest = rounds.map((one) => one.reduce((a, b) => Math.max(a, b), 0));
    const figures = [quantile(all, 0.5), quantile(all, 0.99), quantile(longest, 0.5), Math.max(...longest)].map(fixed);
    console.log(`| ${phase} | ${all.length} | ${figures.join(" | ")} |`);
  }
}

async function measureAll(): Promise<void> {
  for (const kind of KINDS) {
    const missing = kind.missing();
    if (missing === null) await measure(kind);
    else console.log(`\n${kind.name}: left out, not installed: ${missing}`);
  }
}

try {
  execFileSync("gcc", ["-O2", "-o", client, join(ROOT, "bench/client.c")]);
  console.log(`${machine()}; ${ROUNDS} sessions each, load average ${loadavg()[0]?.toFixed(1)}`);
  await measureAll();
  console.log("\nThe same with both cores taken by two other processes");
  const burners = [1, 2].map(() => spawn("sh", ["-c", "while :; do :; done"], { stdio: "ignore" }));
  try {
    await measureAll();
  } finally {
    for (const burner of burners) burner.kill("SIGKILL");
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
