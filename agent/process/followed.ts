/**
 * Decides which of the process's modules are patched; pins and adopts them. A library that the host is just opening is
 * adopted before it can be pinned: its constructors must already be redirected, and they run before the loader's lock is
 * free. Until it is pinned, the adoption is undone whenever the host closes anything.
 */
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
/** How often a host may close a library before it is pinned; after that it is adopted only once it is. */
const MOST_LOST = 3;

/** A module that is wanted. */
interface Candidate {
  readonly place: Place;
  /** As an earlier session left it, pinned; null: as the host loaded it. */
  readonly record: LibraryRecord | null;
  readonly found: ModuleMarks;
}

const NO_MARKS: ModuleMarks = { marks: [], refused: [] };

const fileName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const placeText = ({ base, path }: LoadedModule): string => `${base} ${path}`;
const absolute = (path: string): string | null => (path.startsWith("/") ? path : null);

export class FollowedLibraries {
  readonly #libraries = new Map<string, Library>();
  /** Adopted, and not pinned yet. */
  readonly #opening = new Set<Library>();
  /** Modules that are not wanted or have no marks: reading their files at every change would hold up the host. */
  readonly #unwanted = new Set<string>();
  /** Paths of modules that are adopted as soon as they are pinned. */
  readonly #pinning = new Set<string>();
  /** How often each path has been closed before it was pinned. */
  readonly #lost = new Map<string, number>();
  /** Number of staged copies of each file name. */
  readonly #copiesMade = new Map<string, number>();
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
   * Pins a module that is wanted and has marks, and adopts it.
   * @param unused whether no thread uses it yet
   * @returns null if it is not followed, or already was
   */
  consider(module: LoadedModule, unused: () => boolean): Followed | null {
    return this.#once(module, () => {
      const wanted = this.#examine(module);
      if (wanted === null) return null;
      if (wanted.record === null && !pin(module, PIN_MS)) {
        this.#log("debug", `${wanted.place.path} cannot be pinned: it was closed, or the loader is busy`);
        return null;
      }
      return this.#follow(this.#adopt(wanted, unused));
    });
  }

  /**
   * The same for modules while the loader holds the thread that opened the newest: no thread uses it yet. It is adopted when
   * this returns, and followed when it is pinned. To be told of every change from the first call on.
   */
  opened(modules: readonly LoadedModule[]): Promise<Followed | null>[] {
    const loaded = new Set(modules.map(placeText));
    for (const place of this.#unwanted) if (!loaded.has(place)) this.#unwanted.delete(place);
    const fresh = modules.filter((module) => !this.#isAdopted(module) && !this.#unwanted.has(placeText(module)));
    return fresh.map((module) => this.#opened(module));
  }

  async #opened(module: LoadedModule): Promise<Followed | null> {
    const wanted = this.#once(module, () => {
      const found = this.#examine(module);
      if (found === null) this.#unwanted.add(placeText(module));
      return found;
    });
    if (wanted === null) return null;
    const adopt = () => this.#adopt(wanted, () => true);
    if (wanted.record !== null) return this.#follow(adopt());
    if ((this.#lost.get(wanted.place.path) ?? 0) >= MOST_LOST) return await this.#whenPinned(module);
    const library = adopt();
    this.#opening.add(library);
    // Undone by closing() meanwhile? If the module is still there, it has been opened() again.
    return (await pinLater(module)) && this.#opening.delete(library) ? this.#follow(library) : null;
  }

  /**
   * The host is about to unmap something: whatever is not pinned must not be touched any more.
   * @returns the libraries that have been closed so often that they are adopted late from here on
   */
  closing(): string[] {
    const given: string[] = [];
    for (const library of this.#opening) {
      const { path } = library.place;
      library.restore();
      const lost = (this.#lost.get(path) ?? 0) + 1;
      this.#lost.set(path, lost);
      if (lost === MOST_LOST) given.push(path);
      this.#log("debug", `${path} at ${library.place.base} may be closed before it is pinned: no longer adopted`);
    }
    this.#opening.clear();
    return given;
  }

  /** Adopts a module once it is pinned; its constructors have run by then. One attempt at a time for each path. */
  async #whenPinned(module: LoadedModule): Promise<Followed | null> {
    const { path } = module;
    if (this.#pinning.has(path)) return null;
    this.#pinning.add(path);
    try {
      return (await pinLater(module)) ? this.consider(module, () => false) : null;
    } finally {
      this.#pinning.delete(path);
    }
  }

  #once<T>({ base }: LoadedModule, examine: () => T | null): T | null {
    const at = base.toString();
    if (this.#underWay.has(at)) return null;
    this.#underWay.add(at);
    try {
      return examine();
    } finally {
      this.#underWay.delete(at);
    }
  }

  /** Null if it is not wanted, has no marks, or is known. */
  #examine(module: LoadedModule): Candidate | null {
    const { base, size, name: openedAs, path: mapped } = module;
    if (this.#isAdopted(module)) return null;
    const record = this.#recordOf(module);
    const path = record?.path ?? mapped;
    if (this.#copies.has(path) || base.equals(Process.mainModule.base)) return null;
    if (!this.#isWanted([mapped, path, openedAs])) return null;
    const place = { path, base, size, openedAs: absolute(openedAs) };
    const found = record === null ? this.#marksOf(place) : NO_MARKS;
    return found === null ? null : { place, record, found };
  }

  #isAdopted({ base }: LoadedModule): boolean {
    return [...this.#libraries.values(), ...this.#opening].some(({ place }) => place.base.equals(base));
  }

  /** @param library pinned */
  #follow(library: Library): Followed {
    library.register();
    const { path, base } = library.place;
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

  #adopt({ place, record, found }: Candidate, unused: () => boolean): Library {
    if (record !== null) return resumeLibrary(record, place, Process.mainModule);
    const staged = this.#takeOffFile(place, unused);
    const inlineCopies = found.marks.flatMap(({ name }) => this.#inlineCopies.get(name) ?? []);
    return Library.adopt(place, staged, found, Process.mainModule, inlineCopies);
  }

  #takeOffFile(place: Place, unused: () => boolean): Staged {
    if (this.#stage === null) return { path: null, reason: null };
    if (!unused()) return { path: null, reason: "it was loaded before hotpatch attached, and threads may be using it" };
    const name = fileName(place.path);
    const before = this.#copiesMade.get(name) ?? 0;
    this.#copiesMade.set(name, before + 1);
    const path = `${this.#stage}/${copyName(place.path, 0, before)}`;
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
