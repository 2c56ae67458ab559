/**
 * Step: notice that sources were edited, below some folders. Building is others' work. Signs are gathered until they rest,
 * and looked at together, so that a `git switch` is one change and git is asked once.
 */
import { type BigIntStats, type Dirent, lstatSync, readdirSync, statSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setImmediate as breathe, setTimeout as wait } from "node:timers/promises";
import { Repositories } from "../system/git.js";
import { holdsProducts, isProductSign } from "./product-folder.js";
import { isNeverSource, isSourceName, kindOf } from "./source-kind.js";
import { type Watcher, type WatchOptions, watchFolder } from "./watch-folder.js";

/** An edit of a source. */
export interface Change {
  readonly path: string;
  /** When the first sign of it came, as `performance.now()` has it. */
  readonly at: number;
}

export interface SourceWatcher extends Watcher {
  /** Every folder is watched from here on. What is saved before, but after the start, is told too. */
  readonly ready: Promise<void>;
  /** Folders that are followed, and how many of them the system does not watch for us (its limits are used up). */
  count(): { readonly folders: number; readonly unwatched: number };
  /** Whether one of the sources that fit was written after this time (ms since 1970). */
  hasNewer(mtimeMs: number, fits: (path: string) => boolean): boolean;
}

export interface SourceOptions extends WatchOptions {
  /** Absolute paths that are results, not sources. */
  readonly ignore: (path: string) => boolean;
  /** Whether something that was built names a file as its source, whatever it is called. */
  readonly known?: (path: string) => boolean;
  /** ms between looks besides what the system tells; null: it tells of everything. */
  readonly alsoPollMs?: number | null;
}

/** Folders watched at most: each takes one of the user's inotify watches. */
const MOST_FOLDERS = 4096;
/** ms without a sign after which what changed is looked at: editors, and git, write several files at once. */
const REST_MS = 25;
/** ms after which it is looked at even so. */
const RESTLESS_MS = 1000;
/** Files looked at in one go, so that nothing else waits. */
const AT_ONCE = 64;
/** ms by which a file's times may lie behind the clock: the kernel's own tick. */
const TICK_MS = 10;

interface State {
  /** What changes when a source is edited. */
  readonly stamp: string;
  readonly mtimeMs: number;
}

/** Calls `onChange` after changes of sources under `folders`. */
export const watchSources = (
  folders: readonly string[],
  onChange: (changes: readonly Change[]) => void,
  options: SourceOptions,
): SourceWatcher => new Sources(folders, onChange, options);

class Sources implements SourceWatcher {
  readonly ready: Promise<void>;
  readonly #since = Date.now() - TICK_MS;
  readonly #roots: ReadonlySet<string>;
  readonly #onChange: (changes: readonly Change[]) => void;
  readonly #options: SourceOptions;
  readonly #repositories = new Repositories();
  readonly #watchers = new Map<string, Watcher & { watched?(): boolean }>();
  readonly #states = new Map<string, State>();
  /** Files that were a build's results when they were last looked at, whatever their names. */
  readonly #results = new Set<string>();
  /** Folders that are not followed. */
  readonly #leftOut = new Set<string>();
  /** Paths that something was heard of since the last look, and when first. */
  #signs = new Map<string, number>();
  #first = 0;
  #last = 0;
  #timer: NodeJS.Timeout | null = null;
  /** Looks follow one another. */
  #looking: Promise<void>;
  #closed = false;

  constructor(folders: readonly string[], onChange: (changes: readonly Change[]) => void, options: SourceOptions) {
    this.#roots = new Set(folders);
    this.#onChange = onChange;
    this.#options = options;
    this.ready = this.#enter(folders, false);
    this.#looking = this.ready;
    const pollMs = options.pollMs ?? options.alsoPollMs ?? null;
    if (pollMs !== null) void this.ready.then(() => this.#poll(pollMs));
  }

  count(): { folders: number; unwatched: number } {
    const unwatched = [...this.#watchers.values()].filter((one) => one.watched?.() === false).length;
    return { folders: this.#watchers.size, unwatched };
  }

  hasNewer(mtimeMs: number, fits: (path: string) => boolean): boolean {
    return [...this.#states].some(([path, state]) => state.mtimeMs > mtimeMs && fits(path));
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  // Signs -------------------------------------------------------------------------------------------------------------

  #sign(path: string): void {
    if (this.#closed || isNeverSource(path)) return;
    const now = performance.now();
    if (this.#signs.size === 0) this.#first = now;
    if (!this.#signs.has(path)) {
      this.#signs.set(path, now);
      this.#last = now;
    }
    this.#timer ??= setTimeout(() => this.#rest(), REST_MS);
  }

  /** After what else has come by now: a timer is heard before the signs that came while the machine was busy. */
  #rest(): void {
    setImmediate(() => {
      this.#timer = null;
      if (this.#closed) return;
      const now = performance.now();
      if ((now - this.#last < REST_MS && now - this.#first < RESTLESS_MS) || this.#repositories.busy) {
        this.#timer = setTimeout(() => this.#rest(), REST_MS);
        return;
      }
      const signs = this.#signs;
      this.#signs = new Map();
      this.#looking = this.#looking.then(() => this.#look(signs));
    });
  }

  /** Looks at what there was a sign of. */
  async #look(signs: ReadonlyMap<string, number>): Promise<void> {
    await this.#repositories.read([...signs.keys()].map((path) => dirname(path)));
    const changed: Change[] = [];
    const folders: string[] = [];
    for await (const [path, at] of unhurried(signs)) {
      if (this.#closed) return;
      const folder = isFolder(path);
      if (folder === null) this.#leave(path);
      else if (folder) folders.push(path);
      else if (this.#hasChanged(path)) changed.push({ path, at });
    }
    const ignored = await this.#repositories.ignored(changed.map(({ path }) => path));
    await this.#enter(folders, true); // first: some may turn out to hold products
    const changes = changed.filter(({ path }) => !ignored.has(path) && this.#watchers.has(dirname(path)));
    if (changes.length > 0) this.#onChange(changes);
  }

  // Files -------------------------------------------------------------------------------------------------------------

  /** Builds read what is tracked; of other files those that are called like sources, or known to be some. */
  #isCalledSource(path: string): boolean {
    if (isNeverSource(path)) return false;
    return this.#repositories.isTracked(path) || isSourceName(path) || this.#options.known?.(path) === true;
  }

  #isSource(path: string): boolean {
    return this.#isCalledSource(path) && !this.#options.ignore(path);
  }

  /** Whether a source was edited since it was last looked at. */
  #hasChanged(path: string): boolean {
    const state = stateOf(path);
    if (state === null || this.#states.get(path)?.stamp === state.stamp || !this.#isSource(path)) return false;
    // A linker makes its file anew, empty at first: a sign taken from it would start a build for what a build writes.
    const kind = kindOf(path);
    if (kind === "empty" && (this.#results.has(path) || !this.#states.has(path))) return false;
    if (kind === "result") {
      this.#results.add(path);
      return false;
    }
    this.#results.delete(path);
    this.#states.set(path, state);
    return true;
  }

  /** A file as it is at the start; what is written while that is being found out is told. */
  #note(path: string): void {
    const state = this.#isSource(path) ? stateOf(path) : null;
    if (state === null) return;
    if (!isSourceName(path) && kindOf(path) === "result") this.#results.add(path);
    else if (state.mtimeMs >= this.#since) this.#sign(path);
    else this.#states.set(path, state);
  }

  /** A sign of a source that is not as it was. */
  #compare(path: string): void {
    if (this.#isSource(path) && this.#states.get(path)?.stamp !== stateOf(path)?.stamp) this.#sign(path);
  }

  // Folders -----------------------------------------------------------------------------------------------------------

  /** Takes in folders and what is below them, one level after the other. `tell`: what is new there has changed. */
  async #enter(folders: readonly string[], tell: boolean): Promise<void> {
    for (let level = await this.#fit(folders); level.length > 0; ) {
      const below: string[] = [];
      await this.#repositories.read(level);
      for (const folder of level) {
        if (this.#closed || this.#watchers.size >= MOST_FOLDERS) return;
        this.#watch(folder);
        const { files, folders: inside } = contentsOf(folder);
        for await (const path of unhurried(files))
          if (tell) this.#compare(path);
          else this.#note(path);
        below.push(...inside.filter((one) => !this.#watchers.has(one)));
      }
      level = await this.#fit(below);
    }
  }

  /** Those of the folders that can have sources in them. The others are left. */
  async #fit(folders: readonly string[]): Promise<string[]> {
    await this.#repositories.read(folders.map((folder) => dirname(folder)));
    const ignored = await this.#repositories.ignored(folders);
    const fit: string[] = [];
    for await (const folder of unhurried(folders))
      if (this.#isFit(folder, ignored)) {
        this.#leftOut.delete(folder);
        fit.push(folder);
      } else {
        this.#leftOut.add(folder);
        this.#leave(folder);
      }
    return fit;
  }

  #isFit(folder: string, ignored: ReadonlySet<string>): boolean {
    if (this.#roots.has(folder) || this.#repositories.isTracked(folder)) return true;
    return !ignored.has(folder) && !holdsProducts(folder, contentsOf(folder).names);
  }

  /** A sign of everything in a folder that is not as it was. */
  #lookInto(folder: string): void {
    const { files, folders } = contentsOf(folder);
    for (const path of files) this.#compare(path);
    for (const path of folders) if (!this.#watchers.has(path) && !this.#leftOut.has(path)) this.#sign(path);
    if (isFolder(folder) === null) this.#sign(folder);
  }

  #watch(folder: string): void {
    if (this.#watchers.has(folder) || this.#watchers.size >= MOST_FOLDERS) return;
    this.#watchers.set(folder, this.#options.pollMs === null ? this.#listen(folder) : { close() {} });
  }

  #listen(folder: string): Watcher & { watched(): boolean } {
    let began = false;
    const watcher = watchFolder(folder, (name) => {
      if (name !== null) this.#sign(join(folder, name));
      else if (began) this.#lookInto(folder);
      if (name !== null && isProductSign(name)) this.#sign(folder); // it has become a folder of products
    });
    began = true;
    return watcher;
  }

  /** Looks at everything, again and again. Never waits for a slow file system: the session goes on meanwhile. */
  async #poll(ms: number): Promise<void> {
    while (!this.#closed) {
      await wait(ms, undefined, { ref: false });
      for (const folder of [...this.#watchers.keys()]) {
        if (this.#closed) return;
        await this.#pollFolder(folder);
      }
    }
  }

  async #pollFolder(folder: string): Promise<void> {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => null);
    if (entries === null) return this.#sign(folder);
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!this.#watchers.has(path) && !this.#leftOut.has(path)) this.#sign(path);
      } else if (this.#isCalledSource(path)) {
        const stats = await stat(path, { bigint: true }).catch(() => null);
        if (stats !== null && this.#states.get(path)?.stamp !== stampOf(stats)) this.#sign(path);
      }
    }
  }

  /** A file or folder is gone: a folder's watchers close, a file's next state is told. */
  #leave(gone: string): void {
    this.#states.delete(gone);
    if (!this.#watchers.has(gone)) return;
    for (const [path, watcher] of this.#watchers) {
      if (this.#roots.has(path) || (path !== gone && !path.startsWith(`${gone}/`))) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
  }
}

/** The items, once nothing else waits for the event loop; in pieces where they are many. */
async function* unhurried<T>(items: Iterable<T>): AsyncGenerator<T> {
  let looks = 0;
  await breathe();
  for (const item of items) {
    yield item;
    if (++looks % AT_ONCE === 0) await breathe();
  }
}

/** Null where it was deleted, or is out of reach. */
function isFolder(path: string): boolean | null {
  try {
    return lstatSync(path).isDirectory();
  } catch {
    return null;
  }
}

/** Not its identity: builds link and chmod their sources, and would start themselves anew by that. */
const stampOf = ({ size, mtimeNs, ino }: BigIntStats): string => `${size} ${mtimeNs} ${ino}`;

function stateOf(path: string): State | null {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? null : { stamp: stampOf(stats), mtimeMs: Number(stats.mtimeMs) };
}

/** Nothing where it was deleted meanwhile. */
function contentsOf(folder: string): { names: string[]; files: string[]; folders: string[] } {
  let entries: Dirent[] = [];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    // deleted
  }
  const paths = (directories: boolean) =>
    entries.filter((e) => e.isDirectory() === directories).map((e) => join(folder, e.name));
  return { names: entries.map((e) => e.name), files: paths(false), folders: paths(true) };
}
