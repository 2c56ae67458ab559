/**
 * The registry: what hotpatch has left in this process, kept in host-owned memory so that a later agent can resume it.
 * One named mapping with two halves written in turn; the header says which is valid, so a torn write is never read.
 */
import { REGISTRY } from "../../schemas/abi.js";
import type { RefusedMark } from "../../schemas/agent.js";
import type { KnownEntry } from "../entries/marked.js";
import type { PlainEntry } from "../entries/unmarked.js";
import { findNamedData, mapAnywhere, mapNamed, type Watched } from "../os/index.js";

const { name: NAME, magic: MAGIC, at: AT } = REGISTRY;
/** Raised when the meaning of a record changes; an agent refuses a newer version. */
const VERSION = 2;

/**
 * Header: magic 8 bytes, version u32, owner pid u32, offset of the valid half u32, its length in bytes u32, pid of the
 * process the owner is attached to u32; address of the loader's notification function u64, and of its stub u64.
 */
const HEADER = 4096;
/** Bytes per half. Untouched pages cost nothing. */
const HALF = 1024 * 1024;

interface GenerationRecord {
  readonly generation: number;
  readonly path: string;
  readonly buildId: string | null;
  /** sha256 of the artifact; null for generation 0. */
  readonly hash: string | null;
  readonly functions: number;
  readonly base: string;
  /** Size of the copy in bytes. */
  readonly size: number;
  /** Address of its table. */
  readonly table: string;
}

/** What changes only when a build adds functions; kept separately because it is long. */
export interface FunctionsRecord {
  /** Function names in table order. */
  readonly names: readonly string[];
  /** Generation 0's marked entries, each once, with the function it belongs to. */
  readonly entries: readonly KnownEntry[];
  /** Generation 0's entries without marks; absent from records of an earlier version. */
  readonly unmarked?: readonly PlainEntry[];
  /** Marks of generation 0 that cannot be patched. */
  readonly refused: readonly RefusedMark[];
}

export interface LibraryRecord {
  readonly path: string;
  readonly base: string;
  /** Size of the module in bytes. */
  readonly size: number;
  /** The file that backs generation 0 instead of `path`; null: none. */
  readonly staged: string | null;
  /** Address of the pointer to the running table. */
  readonly epoch: string;
  /** Number of functions that fit in the tables. */
  readonly capacity: number;
  readonly generations: readonly GenerationRecord[];
  readonly functions: Text;
}

/** A JSON text in host-owned memory. */
export interface Text {
  readonly address: string;
  /** In bytes; the text is ASCII. */
  readonly length: number;
}

/** JSON in ASCII, so that one character is one byte: paths may contain anything. */
const ascii = (value: unknown): string =>
  JSON.stringify(value).replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Stores a value where a later session can find it. */
export function keepText(value: FunctionsRecord): Text {
  const text = ascii(value);
  const memory = mapAnywhere(text.length + 1);
  memory.writeUtf8String(text);
  return { address: memory.toString(), length: text.length };
}

export function readText({ address, length }: Text): FunctionsRecord {
  return JSON.parse(ptr(address).readUtf8String(length) ?? "") as FunctionsRecord;
}

export class Registry {
  readonly #page: NativePointer;
  /** What was last read or written: looked up for every new module, and only this agent writes. */
  #libraries: readonly LibraryRecord[] | null = null;

  private constructor(page: NativePointer) {
    this.#page = page;
  }

  /** The process's registry, created if there is none; or why it cannot be read: a newer hotpatch created it. */
  static open(): Registry | string {
    const found = findNamedData(NAME);
    if (found === null) {
      const page = mapNamed(NAME, HEADER + 2 * HALF);
      page.add(AT.magic).writeUtf8String(MAGIC);
      page.add(AT.version).writeU32(VERSION);
      return new Registry(page);
    }
    const version = found.add(AT.version).readU32();
    if (found.add(AT.magic).readUtf8String(MAGIC.length) !== MAGIC || version > VERSION)
      return `this process holds a hotpatch registry of version ${version}; this hotpatch reads up to ${VERSION}`;
    // From here on it may contain something an older agent would not restore.
    found.add(AT.version).writeU32(VERSION);
    return new Registry(found);
  }

  /** Process id of the attached session; 0: none. A forked child inherits the page, but not the session. */
  get owner(): number {
    const process = this.#page.add(AT.process).readU32();
    return process === 0 || process === Process.id ? this.#page.add(AT.owner).readU32() : 0;
  }
  set owner(pid: number) {
    this.#page.add(AT.process).writeU32(Process.id);
    this.#page.add(AT.owner).writeU32(pid);
  }

  /** The stub that watches the loader; null: none yet. */
  get watched(): Watched | null {
    const at = this.#page.add(AT.notice).readU64().toNumber();
    return at === 0 ? null : { at, stub: this.#page.add(AT.stub).readU64().toNumber() };
  }
  set watched({ at, stub }: Watched) {
    this.#page.add(AT.stub).writeU64(stub);
    this.#page.add(AT.notice).writeU64(at);
  }

  read(): readonly LibraryRecord[] {
    this.#libraries ??= this.#parse();
    return this.#libraries;
  }

  #parse(): LibraryRecord[] {
    const length = this.#page.add(AT.length).readU32();
    if (length === 0) return [];
    const text = this.#page.add(this.#page.add(AT.offset).readU32()).readUtf8String(length);
    return text === null ? [] : (JSON.parse(text) as LibraryRecord[]);
  }

  write(libraries: readonly LibraryRecord[]): void {
    const text = ascii(libraries);
    if (text.length >= HALF) throw new Error(`the registry cannot hold ${text.length} bytes`);
    const other = this.#page.add(AT.offset).readU32() === HEADER ? HEADER + HALF : HEADER;
    this.#page.add(other).writeUtf8String(text);
    // Offset and length in one aligned store.
    this.#page.add(AT.offset).writeU64(uint64(text.length).shl(32).or(other));
    this.#libraries = libraries;
  }
}
