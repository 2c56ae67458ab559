/**
 * The processes of a spawned program, and which of them is the host: a shell script, a launcher or `env` starts or
 * becomes the program that loads the library. Reads /proc and the files that are mapped; touches no process.
 * Not by Frida's child gating: it holds every child of a launcher, and hangs those that close all files (decision 12).
 */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { basename } from "node:path";
import { type Elf, readElf } from "../binary/elf.js";
import { ET_EXEC } from "../binary/elf-constants.js";
import { CODE_SECTIONS } from "../binary/marks.js";
import { startTimeOf } from "../system/private-folder.js";

/** ms between looks: at first, and once the first seconds have passed. */
const EAGER_MS = 40;
const PATIENT_MS = 400;
const EAGER_FOR_MS = 20_000;
/** ms that the others have to load a library once the program that was started has ended. */
const ORPHANED_MS = 5000;
/** Tries to enter a process that has loaded the library, and ms after the first; each next one waits twice as long. */
const MOST_TRIES = 6;
const SECOND_TRY_MS = 100;

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
}

/** What a process has mapped of one file. */
interface Mapped {
  readonly path: string;
  /** Device and inode: the file itself. */
  readonly file: string;
  readonly start: bigint;
  readonly executable: boolean;
}

export interface HostEvents {
  /**
   * A member has loaded a wanted library. Resolves with whether it was entered: then nothing more is looked for.
   * @param last whether it will not be tried again
   */
  onHost(pid: number, last: boolean): Promise<boolean>;
  /** The program that was started has ended, and no other member will be the host. */
  onGone(): void;
}

/**
 * Looks for the host among `first` and what it starts until it is closed.
 * @param first the program that was started; the agent is in it
 * @param names file names of the wanted libraries; null: every library with marks
 */
export class HostSearch {
  readonly #first: number;
  readonly #names: ReadonlySet<string> | null;
  readonly #events: HostEvents;
  /** Changes with every exec: until then the agent in the first program sees for itself. */
  readonly #image: string;
  readonly #began = performance.now();
  /** Who gets the children of members that have ended: the bridge. Not we ourselves, who start builds. */
  readonly #heir: number | null;
  /** Processes that are no members, and have no way to become one: looked at once. */
  readonly #strangers: Set<number>;
  /** Pid -> start time, of all members ever seen: a member whose parent has ended is one still. */
  readonly #members = new Map<number, number | null>();
  /** How often a member has been tried, and when it may be again. */
  readonly #tries = new Map<number, { readonly made: number; readonly next: number }>();
  readonly #marked = new Map<string, boolean>();
  #firstEnded: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(first: number, names: readonly string[] | null, events: HostEvents) {
    this.#first = first;
    this.#names = names === null ? null : new Set(names);
    this.#events = events;
    this.#image = imageOf(first);
    this.#members.set(first, startTimeOf(first));
    const parent = processOf(first)?.parent ?? 0;
    this.#heir = parent === process.pid || parent <= 1 ? null : parent;
    this.#strangers = new Set(pids().filter((pid) => pid !== first));
    this.#next();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  get closed(): boolean {
    return this.#closed;
  }

  #next(): void {
    const ms = performance.now() - this.#began < EAGER_FOR_MS ? EAGER_MS : PATIENT_MS;
    this.#timer = setTimeout(() => void this.#look(), ms);
  }

  async #look(): Promise<void> {
    const alive = this.#living();
    for (const pid of alive) {
      if (pid === this.#first && imageOf(pid) === this.#image) continue;
      const { made, next } = this.#tries.get(pid) ?? { made: 0, next: 0 };
      if (made >= MOST_TRIES || performance.now() < next || !this.#isHost(pid)) continue;
      if (await this.#events.onHost(pid, made + 1 === MOST_TRIES)) return this.close();
      if (this.#closed) return;
      this.#tries.set(pid, { made: made + 1, next: performance.now() + SECOND_TRY_MS * 2 ** made });
    }
    if (!alive.includes(this.#first)) this.#firstEnded ??= performance.now();
    const late = this.#firstEnded !== null && performance.now() - this.#firstEnded > ORPHANED_MS;
    if (late || alive.length === 0) {
      this.close();
      return this.#events.onGone();
    }
    if (!this.#closed) this.#next();
  }

  /** The members that live, newly started ones included. */
  #living(): number[] {
    for (const [pid, start] of this.#members)
      if (startTimeOf(pid) !== start || processOf(pid) === null) this.#members.delete(pid);
    const all = new Set(pids());
    for (const pid of this.#strangers) if (!all.has(pid)) this.#strangers.delete(pid);
    const fresh = [...all].filter((pid) => !this.#members.has(pid) && !this.#strangers.has(pid));
    const unknown = fresh.flatMap((pid) => processOf(pid) ?? []);
    for (let grew = true; grew; ) {
      grew = false;
      for (const { pid, parent, session } of unknown) {
        const ours = this.#members.has(parent) || session === this.#first || parent === this.#heir;
        if (!ours || this.#members.has(pid)) continue;
        this.#members.set(pid, startTimeOf(pid));
        grew = true;
      }
    }
    for (const { pid } of unknown) if (!this.#members.has(pid)) this.#strangers.add(pid);
    return [...this.#members.keys()];
  }

  #isHost(pid: number): boolean {
    const mapped = mappedBy(pid);
    const exe = exeOf(pid);
    return mapped.some((one) => one.path !== exe && this.#isWanted(one)) && hasBegun(pid, exe, mapped);
  }

  #isWanted({ path, file, executable }: Mapped): boolean {
    if (!executable) return false;
    if (this.#names !== null) return this.#names.has(basename(path));
    let marked = this.#marked.get(file);
    if (marked === undefined) {
      marked = sections(path).some((name) => CODE_SECTIONS.has(name));
      this.#marked.set(file, marked);
    }
    return marked;
  }
}

const pids = (): number[] => readdirSync("/proc").flatMap((entry) => (/^\d+$/.test(entry) ? [Number(entry)] : []));

/** Null when it has ended, or waits for its parent to be told so. */
function processOf(pid: number): Process | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state = "", parent, , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return "ZX".includes(state) ? null : { pid, parent: Number(parent), session: Number(session) };
  } catch {
    return null;
  }
}

/** The kernel's gift to a new program image: the addresses in it are drawn anew at every exec. */
function imageOf(pid: number): string {
  try {
    return `${exeOf(pid)} ${readFileSync(`/proc/${pid}/auxv`, "latin1")}`;
  } catch {
    return ""; // ended, or not ours to look at
  }
}

function exeOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}

function mappedBy(pid: number): Mapped[] {
  let maps = "";
  try {
    maps = readFileSync(`/proc/${pid}/maps`, "utf8");
  } catch {
    return []; // ended, or not ours to look at
  }
  return maps.split("\n").flatMap((line) => {
    const fields = /^([0-9a-f]+)-\S+ (\S+) \S+ (\S+ \d+) +(\/.*)$/.exec(line);
    if (fields === null) return [];
    const [, start = "", flags = "", file = "", path = ""] = fields;
    return [{ path, file, start: BigInt(`0x${start}`), executable: flags.includes("x") }];
  });
}

/**
 * Whether the loader has done its work, so that Frida may enter: before that its attempt would kill the process. glibc's
 * constructor sets `environ`, the first of all constructors and after all relocations.
 */
function hasBegun(pid: number, exe: string, mapped: readonly Mapped[]): boolean {
  const libc = mapped.find(({ path }) => basename(path) === "libc.so.6");
  if (libc === undefined) return false;
  // An executable that refers to `environ` has the variable itself.
  for (const path of [exe, libc.path]) {
    const base = mapped.find((one) => one.path === path)?.start;
    const value = environIn(path);
    if (base === undefined || value === null) continue;
    return wordAt(pid, value.fixed ? BigInt(value.address) : base + BigInt(value.address)) !== 0n;
  }
  return false;
}

const environs = new Map<string, { address: number; fixed: boolean } | null>();

function environIn(path: string): { address: number; fixed: boolean } | null {
  const known = environs.get(path);
  if (known !== undefined) return known;
  const elf = elfAt(path);
  const symbol = elf
    ?.dynamicSymbols()
    .find(({ name, sectionIndex }) => sectionIndex !== 0 && /^_{0,2}environ$/.test(name));
  const found =
    elf == null || symbol === undefined ? null : { address: symbol.value, fixed: elf.header.type === ET_EXEC };
  environs.set(path, found);
  return found;
}

const sections = (path: string): string[] => elfAt(path)?.sections.map(({ name }) => name) ?? [];

function elfAt(path: string): Elf | null {
  try {
    return readElf(readFileSync(path));
  } catch {
    return null; // gone, or no ELF
  }
}

/** 0 where nothing can be read. */
function wordAt(pid: number, address: bigint): bigint {
  const word = Buffer.alloc(8);
  try {
    const memory = openSync(`/proc/${pid}/mem`, "r");
    try {
      readSync(memory, word, 0, 8, address);
    } finally {
      closeSync(memory);
    }
  } catch {
    // ended, or not mapped yet
  }
  return word.readBigUInt64LE();
}
