/** A process and what it starts, as far as /proc tells; also those whose parents have ended meanwhile. */
import { allPids, isZombie, type ProcStat, statOf } from "./proc.js";

interface Relative extends ProcStat {
  readonly pid: number;
}

export class ProcessFamily {
  readonly #first: number;
  /** Who gets the children of members that have ended: who started the first. Not we ourselves, who start builds. */
  readonly #heir: number | null;
  /** Pid -> start time, of all members ever seen: a member whose parent has ended is one still. */
  readonly #members = new Map<number, number | undefined>();
  /** Processes that are no members, and have no way to become one: looked at once. */
  readonly #strangers: Set<number>;

  constructor(first: number) {
    this.#first = first;
    const itself = relativeOf(first);
    this.#members.set(first, itself?.startTime);
    const parent = itself?.parent ?? 0;
    this.#heir = parent === process.pid || parent <= 1 ? null : parent;
    this.#strangers = new Set(allPids().filter((pid) => pid !== first));
  }

  /** The members that live, newly started ones included. */
  living(): number[] {
    for (const [pid, start] of this.#members) {
      const member = relativeOf(pid);
      if (member === null || member.startTime !== start) this.#members.delete(pid);
    }
    const all = new Set(allPids());
    for (const pid of this.#strangers) if (!all.has(pid)) this.#strangers.delete(pid);
    const fresh = [...all].filter((pid) => !this.#members.has(pid) && !this.#strangers.has(pid));
    const unknown = fresh.flatMap((pid) => relativeOf(pid) ?? []);
    while (unknown.some((one) => this.#takesIn(one))); // a child may be listed before its parent
    for (const { pid } of unknown) if (!this.#members.has(pid)) this.#strangers.add(pid);
    return [...this.#members.keys()];
  }

  /** Whether this one is a member from here on, and was none. */
  #takesIn({ pid, parent, session, startTime }: Relative): boolean {
    const ours = this.#members.has(parent) || session === this.#first || parent === this.#heir;
    if (!ours || this.#members.has(pid)) return false;
    this.#members.set(pid, startTime);
    return true;
  }
}

/** Null when it has ended, or waits for its parent to be told so. */
function relativeOf(pid: number): Relative | null {
  const stat = statOf(pid);
  return stat === null || isZombie(stat) ? null : { pid, ...stat };
}
