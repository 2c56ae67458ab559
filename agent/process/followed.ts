/** Decides which of the process's modules are patched; pins and adopts them. */
import { copyName } from "../../schemas/names.js";
import { Library, type Staged } from "../library/library.js";
import { resumeLibrary } from "../library/record.js";
import { executableMarks, type Mark, type ModuleMarks, marksOf } from "../marks/marks.js";
import { type LoadedModule, MemoryGone, pin, pinLater, stage } from "../os/index.js";
import type { LibraryRecord, Registry } from "../registry/registry.js";
import type { Place } from "../target/extent.js";
import type { Log } from "./session.js";

/** Which modules to follow. */
export interface Wanted {
  /** File names or SONAMEs; null: every library with marks. */
  readonly names: readonly string[] | null;
  /** Whether the named ones are followed even without marks. */
  readonly unmarked: boolean;
}

/** A library, and the id the cli knows it by. */
export type Followed = readonly [id: string, library: Library];

/** How long pinning a library may take before it is adopted, in ms. */
const PIN_MS = 1000;

const NO_MARKS: ModuleMarks = { marks: [], refused: [] };

const fileName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const absolute = (path: string): string | null => (path.startsWith("/") ? path : null);

export class FollowedLibraries {
  readonly #libraries = new Map<string, Library>();
  readonly #registry: Registry;
  readonly #wanted: ReadonlySet<string> | null;
  readonly #unmarked: boolean;
  /** Folder that libraries are staged in; null: they are not staged. */
  readonly #stage: string | null;
  readonly #log: Log;
  /** Bases of modules being examined: our two threads take turns in the script and see the same modules. */
  readonly #underWay = new Set<string>();
  /** Paths of copies, loading or loaded: they belong to their generation 0's library. */
  readonly #copies = new Set<string>();
  /** Number of marked functions in the executable itself, which cannot be patched. */
  readonly marksInExecutable: number;
  /** Inline functions in the executable that no library has claimed yet, by name. */
  readonly #inlineCopies: Map<string, Mark>;

  constructor(registry: Registry, { names, unmarked }: Wanted, stage: string | null, log: Log) {
    this.#registry = registry;
    this.#wanted = names === null ? null : new Set(names);
    this.#unmarked = unmarked && names !== null;
    this.#stage = stage;
    this.#log = log;
    const { own, inline } = executableMarks(Process.mainModule);
    this.marksInExecutable = own;
    this.#inlineCopies = new Map(inline.map((mark) => [mark.name, mark]));
    for (const record of registry.read())
      for (const g of record.generations) if (g.generation > 0) this.#copies.add(g.path);
  }

  get(id: string): Library | undefined {
    return this.#libraries.get(id);
  }

  all(): readonly Followed[] {
    return [...this.#libraries];
  }

  /** A copy about to be loaded is not a library of its own. */
  expectCopy(path: string): void {
    this.#copies.add(path);
  }

  /**
   * Adopts a module that is wanted and has marks.
   * @param unused whether no thread uses it yet
   * @param held the loader is waiting for us: the module cannot go away, and cannot be pinned yet either
   * @returns null if it is not followed, or already was
   */
  consider(module: LoadedModule, unused: () => boolean, held: boolean): Followed | null {
    const base = module.base.toString();
    if (this.#underWay.has(base)) return null;
    this.#underWay.add(base);
    try {
      return this.#follow(module, unused, held);
    } finally {
      this.#underWay.delete(base);
    }
  }

  #follow(module: LoadedModule, unused: () => boolean, held: boolean): Followed | null {
    const { base, size, name: openedAs, path: mapped } = module;
    if (this.all().some(([, library]) => library.place.base.equals(base))) return null;
    const record = this.#recordOf(module);
    const path = record?.path ?? mapped;
    if (this.#copies.has(path) || base.equals(Process.mainModule.base)) return null;
    if (!this.#isWanted([mapped, path, openedAs])) return null;
    const place = { path, base, size, openedAs: absolute(openedAs) };
    const library = record === null ? this.#adopt(module, place, unused, held) : resume(record, place);
    if (library === null) return null;
    const { names } = library.functions;
    this.#log("debug", `adopted ${names.length} functions of ${path} at ${base}`);
    for (const name of names) this.#inlineCopies.delete(name);
    const id = this.#libraries.has(fileName(path)) ? path : fileName(path);
    this.#libraries.set(id, library);
    return [id, library];
  }

  /** What an earlier session recorded about this module; null: nothing. */
  #recordOf({ base, path: mapped }: LoadedModule): LibraryRecord | null {
    const known = this.#registry.read().filter((record) => record.base === base.toString());
    return known.find(({ path, staged }) => mapped === path || mapped === staged) ?? null;
  }

  #isWanted(paths: readonly string[]): boolean {
    const wanted = this.#wanted;
    return wanted === null || paths.some((path) => wanted.has(fileName(path)));
  }

  /** Null if it has no marks or cannot be pinned. */
  #adopt(module: LoadedModule, place: Place, unused: () => boolean, held: boolean): Library | null {
    const found = this.#marksOf(place);
    if (found === null) return null;
    if (held) pinLater(module);
    else if (!pin(module, PIN_MS)) {
      this.#log("debug", `${place.path} cannot be pinned: the loader has been busy for ${PIN_MS} ms`);
      return null;
    }
    const staged = this.#takeOffFile(place, unused);
    const inlineCopies = found.marks.flatMap(({ name }) => this.#inlineCopies.get(name) ?? []);
    return Library.adopt(place, staged, found, Process.mainModule, inlineCopies);
  }

  #takeOffFile(place: Place, unused: () => boolean): Staged {
    if (this.#stage === null) return { path: null, reason: null };
    if (!unused()) return { path: null, reason: "it was loaded before hotpatch attached, and threads may be using it" };
    const name = fileName(place.path);
    const sameName = this.all().filter(([, library]) => fileName(library.place.path) === name);
    const path = `${this.#stage}/${copyName(place.path, 0, sameName.length)}`;
    const reason = stage(place, path);
    return reason === null ? { path, reason: null } : { path: null, reason };
  }

  /** The host may close a library while we read it. If it is loaded again, the loader tells us. */
  #marksOf(place: Place): ModuleMarks | null {
    try {
      return marksOf(place) ?? (this.#unmarked ? NO_MARKS : null);
    } catch (error) {
      if (!(error instanceof MemoryGone)) throw error;
      this.#log("debug", `${place.path} at ${place.base} was closed while being read`);
      return null;
    }
  }
}

const resume = (record: LibraryRecord, place: Place): Library => resumeLibrary(record, place, Process.mainModule);
