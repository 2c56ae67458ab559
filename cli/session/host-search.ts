/**
 * Finds the host among the processes of a spawned program: a shell script, a launcher or `env` starts or becomes the
 * program that loads the library. Reads /proc and mapped files; touches no process. Frida's child gating would not do:
 * it stops every child of a launcher, and hangs those that close all files (decision 12).
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { ET_EXEC } from "../../schemas/elf.js";
import { type Elf, readElf } from "../binary/elf.js";
import { CODE_SECTIONS } from "../binary/marks.js";
import { exeOf, mappingsOf, memoryOf, type ProcMapping, readProc } from "../system/proc.js";
import { ProcessFamily } from "../system/process-family.js";

/** ms between polls: at first, and after the first seconds. */
const EAGER_MS = 40;
const PATIENT_MS = 400;
const EAGER_FOR_MS = 20_000;
/** ms that the others have to load a library after the spawned program has exited. */
const ORPHANED_MS = 5000;
/** Attempts to enter a process that has loaded the library, and ms after the first; the wait doubles each time. */
const MOST_TRIES = 6;
const SECOND_TRY_MS = 100;

export interface HostEvents {
  /**
   * A member has loaded a wanted library. Resolves with whether it was entered, which ends the search.
   * @param last whether this is the last attempt
   */
  onHost(pid: number, last: boolean): Promise<boolean>;
  /** The spawned program has exited, and no other member can be the host. */
  onGone(): void;
}

/**
 * Searches for the host among `first` and its descendants until closed.
 * @param first the spawned program; the agent is in it
 * @param names file names of the wanted libraries; null: every library with marks
 */
export class HostSearch {
  readonly #first: number;
  readonly #names: ReadonlySet<string> | null;
  readonly #events: HostEvents;
  readonly #family: ProcessFamily;
  /** Changes with every exec: until then the agent in the first program sees for itself. */
  readonly #image: string;
  readonly #began = performance.now();
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
    this.#family = new ProcessFamily(first);
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
    const alive = this.#family.living();
    if (await this.#tryEach(alive)) return this.close();
    if (this.#closed) return;
    if (!alive.includes(this.#first)) this.#firstEnded ??= performance.now();
    const late = this.#firstEnded !== null && performance.now() - this.#firstEnded > ORPHANED_MS;
    if (!late && alive.length > 0) return this.#next();
    this.close();
    this.#events.onGone();
  }

  /** Whether one of them was entered. */
  async #tryEach(pids: readonly number[]): Promise<boolean> {
    for (const pid of pids) {
      if (pid === this.#first && imageOf(pid) === this.#image) continue;
      const { made, next } = this.#tries.get(pid) ?? { made: 0, next: 0 };
      if (made >= MOST_TRIES || performance.now() < next || !this.#isHost(pid)) continue;
      if (await this.#events.onHost(pid, made + 1 === MOST_TRIES)) return true;
      if (this.#closed) return false;
      this.#tries.set(pid, { made: made + 1, next: performance.now() + SECOND_TRY_MS * 2 ** made });
    }
    return false;
  }

  #isHost(pid: number): boolean {
    const mapped = mappingsOf(pid);
    const exe = exeOf(pid);
    return mapped.some((one) => one.path !== exe && this.#isWanted(one)) && hasBegun(pid, exe, mapped);
  }

  #isWanted({ path, file, executable }: ProcMapping): boolean {
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

/** The kernel's gift to a new program image: the addresses in it are drawn anew at every exec. */
function imageOf(pid: number): string {
  const auxiliary = readProc(`/proc/${pid}/auxv`, "latin1");
  return auxiliary === null ? "" : `${exeOf(pid)} ${auxiliary}`;
}

/**
 * Whether the loader has finished, so that Frida may enter: before that, an attempt would kill the process. glibc's
 * constructor, which runs first of all constructors and after all relocations, sets `environ`.
 */
function hasBegun(pid: number, exe: string, mapped: readonly ProcMapping[]): boolean {
  const libc = mapped.find(({ path }) => basename(path) === "libc.so.6");
  if (libc === undefined) return false;
  // An executable that refers to `environ` contains the variable itself.
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
const wordAt = (pid: number, address: bigint): bigint => memoryOf(pid, address, 8)?.readBigUInt64LE() ?? 0n;
