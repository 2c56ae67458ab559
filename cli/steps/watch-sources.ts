/** Step: notice that a source was edited, below some folders. Building is others' work. */
import { type Dirent, lstatSync, readdirSync, statSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { gitIgnored } from "../system/git.js";
import { isSourceFolder, kindOf, NOT_SOURCES } from "./source-kind.js";
import { every, type Watcher, type WatchOptions, watchFolder } from "./watch-folder.js";

export interface SourceWatcher extends Watcher {
  /** Folders that are followed, and how many of them the system does not watch for us (its limits are used up). */
  count(): { readonly folders: number; readonly unwatched: number };
}

export interface SourceOptions extends WatchOptions {
  /** Absolute paths that are results, not sources. */
  readonly ignore: (path: string) => boolean;
}

/** Folders watched at most: each takes one of the user's inotify watches. */
const MOST_FOLDERS = 4096;

/**
 * What changes when a source is edited; "" when there is none. Not its identity: builds link and chmod their sources, and
 * would start themselves anew by that.
 */
function fileStamp(path: string): string {
  try {
    const { size, mtimeNs, ino } = statSync(path, { bigint: true });
    return `${size} ${mtimeNs} ${ino}`;
  } catch {
    return "";
  }
}

/** Calls `onChange` with a path after changes of sources under `folders`, honouring .gitignore. */
export const watchSources = (
  folders: readonly string[],
  onChange: (path: string) => void,
  options: SourceOptions,
): SourceWatcher => new Sources(folders, onChange, options);

class Sources implements SourceWatcher {
  readonly #roots: ReadonlySet<string>;
  readonly #onChange: (path: string) => void;
  readonly #options: SourceOptions;
  readonly #watchers = new Map<string, Watcher & { watched?(): boolean }>();
  readonly #stamps = new Map<string, string>();
  /** Files that were a build's results when they were last looked at, whatever their names. */
  readonly #results = new Set<string>();

  constructor(folders: readonly string[], onChange: (path: string) => void, options: SourceOptions) {
    this.#roots = new Set(folders);
    this.#onChange = onChange;
    this.#options = options;
    for (const folder of folders) this.#enter(folder, false);
  }

  count(): { folders: number; unwatched: number } {
    const unwatched = [...this.#watchers.values()].filter((one) => one.watched?.() === false).length;
    return { folders: this.#watchers.size, unwatched };
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #isSource(path: string): boolean {
    return !NOT_SOURCES.test(basename(path)) && !this.#options.ignore(path);
  }

  /** Looks at one path after a sign that it changed. */
  #look(path: string): void {
    const folder = isFolder(path);
    if (folder === null) {
      this.#stamps.delete(path); // deleted: a folder's watchers close, a file's next state is told
      this.#leave(path);
    } else if (!folder) this.#lookAtFile(path);
    else if (!gitIgnored([path]).has(path)) this.#enter(path, true);
  }

  #lookAtFile(path: string): void {
    const stamp = fileStamp(path);
    if (this.#stamps.get(path) === stamp || !this.#isSource(path)) return;
    // A linker makes its file anew, empty at first: a sign taken from it would cancel the build that writes it.
    const kind = kindOf(path);
    if (kind === "empty" && (this.#results.has(path) || !this.#stamps.has(path))) return;
    this.#stamps.set(path, stamp);
    if (kind === "result") return void this.#results.add(path);
    this.#results.delete(path);
    if (!gitIgnored([path]).has(path)) this.#onChange(path);
  }

  /** A file as it is before anything has changed. */
  #note(path: string): void {
    if (!this.#isSource(path)) return;
    this.#stamps.set(path, fileStamp(path));
    if (kindOf(path) === "result") this.#results.add(path);
  }

  /** Takes in a folder: its files as they are, its folders in turn. `tell`: of what has changed since the last look. */
  #lookInto(folder: string, tell: boolean): void {
    const { files, folders } = contentsOf(folder);
    for (const path of files) {
      if (tell) this.#look(path);
      else this.#note(path);
    }
    const inside = folders.filter((path) => !this.#watchers.has(path) && isSourceFolder(path));
    const ignored = gitIgnored(inside);
    for (const path of inside) if (!ignored.has(path)) this.#enter(path, tell);
  }

  #enter(folder: string, tell: boolean): void {
    if (this.#watchers.has(folder) || this.#watchers.size >= MOST_FOLDERS) return;
    if (!this.#roots.has(folder) && !isSourceFolder(folder)) return;
    this.#watchers.set(folder, { close() {} });
    this.#lookInto(folder, tell);
    this.#watchers.set(folder, this.#watch(folder));
  }

  #watch(folder: string): Watcher {
    const { pollMs } = this.#options;
    if (pollMs !== null) return every(pollMs, () => this.#lookInto(folder, true));
    return watchFolder(folder, (name) =>
      name === null ? this.#lookInto(folder, true) : this.#look(join(folder, name)),
    );
  }

  #leave(folder: string): void {
    for (const [path, watcher] of this.#watchers) {
      if (this.#roots.has(path) || relative(folder, path).startsWith("..")) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
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

/** Nothing where it was deleted meanwhile. */
function contentsOf(folder: string): { files: string[]; folders: string[] } {
  let entries: Dirent[] = [];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    // deleted
  }
  const paths = (directories: boolean) =>
    entries.filter((e) => e.isDirectory() === directories).map((e) => join(folder, e.name));
  return { files: paths(false), folders: paths(true) };
}
