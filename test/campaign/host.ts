/** A host of the campaign while it runs: what it prints, and whether it goes on. */
import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, Lines, type Workshop } from "../support/workshop.js";

/** What a host must never do, nor hotpatch to it. */
export class Fault extends Error {}

/** ms in which a host prints again, on a busy machine. */
const BEAT_MS = 15_000;
/** ms after which a blocked signal is not a matter of a moment. */
const LASTING_MS = 1000;
/** Meanwhile: a thread that answers all the time is seen blocking one now and then. */
const LOOKS = 20;
/** Signals 32 and 33. */
const GLIBC = 0b11n << 31n;
/** Lines in a row that must agree. */
const STEADY = 3;

export class Host {
  readonly pid: number;
  readonly #output: Lines;
  readonly #child: ChildProcess | null;
  /** Threads that blocked signals of the C library before anybody came. */
  readonly #deaf: ReadonlySet<string>;

  private constructor(pid: number, output: Lines, child: ChildProcess | null) {
    this.pid = pid;
    this.#output = output;
    this.#child = child;
    this.#deaf = new Set(deaf(pid));
  }

  static async start(shop: Workshop, [command = "", ...args]: readonly string[]): Promise<Host> {
    const child = shop.start(command, args);
    child.stderr?.resume();
    const output = new Lines(child.stdout);
    await output.next((line) => line === "value 1", "value 1", 0, 30_000);
    return new Host(innermost(child.pid ?? 0), output, child);
  }

  /** One that a tool has started and prints for. */
  static spawned(pid: number, output: Lines): Host {
    return new Host(pid, output, null);
  }

  get alive(): boolean {
    return isAlive(this.pid);
  }

  /** Rejects unless it prints this value, and then nothing else, within the time of a busy machine. */
  async prints(value: number, during: string): Promise<void> {
    const wanted = `value ${value}`;
    const from = this.#output.all.length;
    const isValue = (line: string) => line.startsWith("value ");
    try {
      await this.#output.next((line) => line === wanted, wanted, from, BEAT_MS);
      const seen = this.#output.all.indexOf(wanted, from);
      for (let i = 0, at = seen + 1; i < STEADY; i++, at++) {
        const line = await this.#output.next(isValue, "any value", at, BEAT_MS);
        if (line !== wanted) throw new Fault(`${during}: prints "${line}" after "${wanted}"`);
        at = this.#output.all.indexOf(line, at);
      }
    } catch (error) {
      if (error instanceof Fault) throw error;
      const last = this.#output.all.slice(-3).join(" | ");
      throw new Fault(
        `${during}: ${this.alive ? "stands still, or" : "has died, and"} does not print "${wanted}": ${last}${threadsOf(this.pid)}`,
      );
    }
    const fault = this.#output.all.find((line) => line.startsWith("FAULT"));
    if (fault !== undefined) throw new Fault(`${during}: ${fault}`);
  }

  /** Rejects where a thread does not take what every thread must: 32 and 33. The host's own may, and glibc for moments. */
  async checkMasks(during: string): Promise<void> {
    let still = deaf(this.pid).filter((thread) => !this.#deaf.has(thread));
    for (let look = 1; still.length > 0; look++) {
      if (look === LOOKS) throw new Fault(`${during}: threads ${still.join(", ")} block signals of the C library`);
      await sleep(LASTING_MS / LOOKS);
      const now = deaf(this.pid);
      still = still.filter((thread) => now.includes(thread));
    }
  }

  async end(): Promise<void> {
    if (this.alive) process.kill(this.pid, "SIGKILL");
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((ended) => child.once("exit", ended));
  }
}

/** What each thread does, for whoever has to find out why it stands. */
function threadsOf(pid: number): string {
  const folder = `/proc/${pid}/task`;
  return (existsSync(folder) ? readdirSync(folder) : [])
    .map((tid) => {
      const file = (name: string) => readFileSync(`${folder}/${tid}/${name}`, "utf8").trim();
      try {
        const field = (name: string) => new RegExp(`^${name}:\t(.*)`, "m").exec(file("status"))?.[1];
        const signals = `blocked ${field("SigBlk")}, pending ${field("SigPnd")} ${field("ShdPnd")}`;
        return `\n  ${tid} ${file("comm")}: ${field("State")}, tracer ${field("TracerPid")}, ${signals}, ${file("syscall")}`;
      } catch {
        return ""; // it has ended
      }
    })
    .join("");
}

/** Of what `unshare --fork` and the like have started. */
function innermost(pid: number): number {
  for (;;) {
    let children: string[];
    try {
      children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
    } catch {
      return pid;
    }
    const name = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    if (children.length !== 1 || name !== "unshare") return pid;
    pid = Number(children[0]);
  }
}

/** The threads of a process that block signal 32 or 33. */
function deaf(pid: number): string[] {
  const folder = `/proc/${pid}/task`;
  return (existsSync(folder) ? readdirSync(folder) : []).filter((thread) => {
    try {
      const status = readFileSync(`${folder}/${thread}/status`, "utf8");
      return (BigInt(`0x${/^SigBlk:\t([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`) & GLIBC) !== 0n;
    } catch {
      return false; // it has ended
    }
  });
}
