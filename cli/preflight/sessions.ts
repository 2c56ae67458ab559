/**
 * Makes sure that a process has at most one hotpatch session. A session first takes the process's lock: a socket with
 * an abstract name, which the kernel grants to one owner and releases when that exits, however it exits. Two tools
 * entering one process at the same moment have killed it.
 *
 * The lock works within a network namespace. From another one, the target's own memory tells once a session has begun.
 */
import { connect, createServer, type Server } from "node:net";
import { REGISTRY } from "../../schemas/abi.js";
import { attachBusy, HotpatchError } from "../errors.js";
import { mappingsOf, memoryOf, startTimeOf } from "../system/proc.js";
import { factsOf, namesOf, type ProcessFacts } from "../system/process-facts.js";
import { type Finding, fine, problem } from "./finding.js";

/** Bytes of an abstract name, all of it: node 20 pads shorter ones with zeros, later versions do not. */
const NAME_SIZE = 107;
/** ms that the holder of a lock has to identify itself. */
const ANSWER_MS = 500;
/** Bytes of the registry's header that are read. */
const HEADER = 28;

/** Pids are reused; a pid with its start time is unique. */
function nameOf(pid: number): string | null {
  const started = startTimeOf(pid);
  return started === null ? null : `\0${`hotpatch/${pid}/${started}/`.padEnd(NAME_SIZE, ".")}`;
}

/** Pids whose lock this process holds: asking itself is pointless, and on a busy machine would time out. */
const ours = new Set<number>();

/** The locks of one session: for its target, and for what that starts. */
export class SessionLocks {
  readonly #held = new Map<number, Server>();

  /** Rejects with attach-busy. */
  async take(pid: number): Promise<void> {
    const name = nameOf(pid);
    if (name === null || this.#held.has(pid)) return; // it has exited: the next step reports that
    const server = createServer((asking) => {
      asking.on("error", () => {}); // it has gone
      asking.end(`${process.pid}\n`);
    });
    const taken = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(name, () => resolve(true));
    });
    if (!taken) throw new HotpatchError(attachBusy(pid, await heldBy(await holderOf(pid))));
    server.unref();
    this.#held.set(pid, server);
    ours.add(pid);
  }

  release(pid: number): void {
    this.#held.get(pid)?.close();
    this.#held.delete(pid);
    ours.delete(pid);
  }

  releaseAll(): void {
    for (const pid of [...this.#held.keys()]) this.release(pid);
  }
}

/** The pid that holds the lock; 0 if the holder does not tell; null if nobody does. */
async function holderOf(pid: number): Promise<number | null> {
  const name = nameOf(pid);
  if (name === null) return null;
  return new Promise((resolve) => {
    const socket = connect(name);
    let said = "";
    const answer = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(Number(said));
    };
    const timer = setTimeout(answer, ANSWER_MS);
    socket.on("data", (data) => {
      said += data.toString();
    });
    socket.once("end", answer);
    socket.once("error", () => {
      clearTimeout(timer);
      resolve(null);
    });
  });
}

const heldBy = (holder: number | null): string =>
  holder === null || holder === 0
    ? "another hotpatch session is about to attach to it"
    : `the hotpatch session with pid ${holder} (${namesOf(holder)[0] ?? "unknown"}) is attached to it`;

/** Whether another session is attached to it. */
export async function checkSession({ pid }: ProcessFacts): Promise<Finding> {
  const holder = ours.has(pid) ? null : await holderOf(pid);
  if (holder !== null) return problem(attachBusy(pid, heldBy(holder)));
  const owner = registeredOwner(pid);
  if (owner !== null && owner !== process.pid) return problem(attachBusy(pid, heldBy(owner)));
  return fine("no other hotpatch session is attached");
}

/** The live session named in the target's registry; null if there is none, or it cannot be read. */
function registeredOwner(pid: number): number | null {
  const start = mappingsOf(pid).find(({ path }) => path.startsWith(`/memfd:${REGISTRY.name}`))?.start;
  const header = start === undefined ? null : memoryOf(pid, start, HEADER);
  if (header === null) return null; // ended meanwhile, or not ours to read: another check says so
  if (header.toString("latin1", 0, REGISTRY.magic.length) !== REGISTRY.magic) return null;
  const [owner, attached] = [header.readUInt32LE(REGISTRY.at.owner), header.readUInt32LE(REGISTRY.at.process)];
  // A forked child has its parent's page but not its session, and records its pid in its own namespace.
  const itself = factsOf(pid)?.pids ?? [pid];
  return owner !== 0 && itself.includes(attached) && factsOf(owner) !== null ? owner : null;
}
