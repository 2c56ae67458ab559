/**
 * Step: notice that a file or a source folder changed. Folders are watched, never files: a watcher on a file goes deaf
 * when the file is replaced. Says only that something changed; settling and building are others' work.
 */
import { spawnSync } from "node:child_process";

import {
  closeSync,
  type Dirent,
  existsSync,
  type FSWatcher,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
  watch,
} from "node:fs";

import { basename, dirname, join, relative } from "node:path";
import { identityAt } from "../system/file-identity.js";

export interface Watcher {
  close(): void;
}

export interface SourceWatcher extends Watcher {
  /** Folders that are followed, and how many of them the system does not watch for us (its limits are used up). */
  count(): { readonly folders: number; readonly unwatched: number };
}

export interface WatchOptions {
  /** ms between looks; null: the system tells. */
  readonly pollMs: number | null;
}

export interface SourceOptions extends WatchOptions {
  /** Absolute paths that are results, not sources. */
  readonly ignore: (path: string) => boolean;
}

/** ms between tries to watch a folder that is not there and whose parent gives no sign. */
const REARM_MS = 200;
/** ms between looks at a folder that is there but cannot be watched: the user's inotify limits are used up. */
const UNWATCHED_MS = 1000;
/** ms between looks at a file that nothing was told of: the system's queue of changes may have run over. */
const SAFETY_MS = 1000;
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

/** Calls `onChange` after every change of the file at `path`, also when its folder is deleted and made anew. */
export function watchFile(path: string, onChange: () => void, options: WatchOptions): Watcher {
  let identity = identityAt(path);
  const look = () => {
    const now = identityAt(path);
    if (now === identity) return;
    identity = now;
    if (now !== "") onChange();
  };
  if (options.pollMs !== null) return every(options.pollMs, look);
  // Behind a symbolic link the file changes in a folder of its own, and the link may be led elsewhere.
  let behind: { readonly folder: string; readonly watcher: Watcher } | null = null;
  const lookBehind = () => {
    const folder = dirname(realPath(path) ?? path);
    if (folder === behind?.folder) return;
    behind?.watcher.close();
    behind = folder === dirname(path) ? null : { folder, watcher: watchFolder(folder, look) };
  };
  const watcher = watchFolder(dirname(path), (name) => {
    // The links between a link and its file have names of their own.
    if (name !== null && name !== basename(path) && !isLink(path)) return;
    lookBehind();
    look();
  });
  const net = every(SAFETY_MS, look);
  return {
    close() {
      watcher.close();
      behind?.watcher.close();
      net.close();
    },
  };
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null; // not there (yet)
  }
}

function every(ms: number, look: () => void): Watcher {
  const timer = setInterval(look, ms);
  return { close: () => clearInterval(timer) };
}

/** Watches one folder; when it is gone, waits for it to come back. `onEvent(null)`: look at everything. */
function watchFolder(folder: string, onEvent: (name: string | null) => void): Watcher & { watched(): boolean } {
  let watcher: FSWatcher | null = null;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  let inode = "";
  const arm = () => {
    timer = null;
    if (closed) return;
    try {
      watcher = watch(folder);
      inode = String(statSync(folder, { bigint: true }).ino);
    } catch {
      watcher?.close();
      watcher = null;
      // Not there (yet): its maker will be followed by a look below. Or there, and no watch to be had for it.
      const there = existsSync(folder);
      if (there) onEvent(null);
      timer = setTimeout(arm, there ? UNWATCHED_MS : REARM_MS);
      return;
    }
    watcher.on("change", (_, name) => {
      onEvent(name === null ? null : name.toString());
      check();
    });
    watcher.on("error", rearm);
    onEvent(null); // nothing is lost between the two watches
  };
  const rearm = () => {
    watcher?.close();
    watcher = null;
    if (!closed && timer === null) timer = setTimeout(arm, REARM_MS);
  };
  // A deleted folder's watch stays silent for ever: its inode tells.
  const check = () => {
    let now = "";
    try {
      now = String(statSync(folder, { bigint: true }).ino);
    } catch {
      // gone
    }
    if (now !== inode) rearm();
  };
  const guard = setInterval(check, REARM_MS);
  arm();
  return {
    watched: () => watcher !== null,
    close() {
      closed = true;
      clearInterval(guard);
      if (timer !== null) clearTimeout(timer);
      watcher?.close();
    },
  };
}

/** Results of builds and what editors leave beside a file while they save it. */
const NOT_SOURCES = /(\.(o|so|a|d|tmp|new|swp|swx)|~|\.so\..+)$|^(4913|\.#.*|#.*#)$/;
const NOT_FOLDERS = new Set(["node_modules", ".git", "target", "build", "dist"]);

/** How results of builds begin that no name gives away: programs and libraries (ELF), archives. */
const RESULT_MAGICS = [Buffer.from("\x7fELF"), Buffer.from("!<arch>\n")];
/** How such a file begins while the linker has yet to write its header. */
const UNWRITTEN = Buffer.alloc(4);

/** What a file's first bytes say of it; "empty" when there are none, also when it cannot be read. */
function kindOf(path: string): "result" | "empty" | "other" {
  const head = Buffer.alloc(8);
  let length = 0;
  try {
    if (!statSync(path).isFile()) return "other"; // to open a pipe would wait for its writer
    const file = openSync(path, "r");
    try {
      length = readSync(file, head);
    } finally {
      closeSync(file);
    }
  } catch {
    return "empty";
  }
  if (length === 0) return "empty";
  return [...RESULT_MAGICS, UNWRITTEN].some((magic) => head.subarray(0, magic.length).equals(magic))
    ? "result"
    : "other";
}

/** Calls `onChange` with a path after changes of sources under `folders`, honouring .gitignore. */
export function watchSources(
  folders: readonly string[],
  onChange: (path: string) => void,
  options: SourceOptions,
): SourceWatcher {
  const stamps = new Map<string, string>();
  const watchers = new Map<string, Watcher & { watched?(): boolean }>();
  const roots = new Set(folders);
  /** Files that were a build's results when they were last looked at, whatever their names. */
  const results = new Set<string>();

  const isSource = (path: string) => !NOT_SOURCES.test(basename(path)) && !options.ignore(path);

  /** Looks at one path after a sign that it changed. */
  const look = (path: string) => {
    let folder: boolean;
    try {
      folder = lstatSync(path).isDirectory();
    } catch {
      stamps.delete(path); // deleted: a folder's watchers close, a file's next state is told
      return leave(path);
    }
    if (folder) return gitIgnored([path]).has(path) ? undefined : enter(path, true);
    const stamp = fileStamp(path);
    if (stamps.get(path) === stamp || !isSource(path)) return;
    // A linker makes its file anew, empty at first: a sign taken from it would cancel the build that writes it.
    const kind = kindOf(path);
    if (kind === "empty" && (results.has(path) || !stamps.has(path))) return;
    stamps.set(path, stamp);
    if (kind === "result") return void results.add(path);
    results.delete(path);
    if (!gitIgnored([path]).has(path)) onChange(path);
  };
  /** Takes in a folder: its files as they are, its folders in turn. */
  const lookInto = (folder: string, tell: boolean) => {
    let entries: Dirent[] = [];
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch {
      return; // deleted meanwhile
    }
    const paths = (directories: boolean) =>
      entries.filter((e) => e.isDirectory() === directories).map((e) => join(folder, e.name));
    for (const path of paths(false)) {
      if (tell) look(path);
      else if (isSource(path)) {
        stamps.set(path, fileStamp(path));
        if (kindOf(path) === "result") results.add(path);
      }
    }
    const inside = paths(true).filter((path) => !watchers.has(path) && isSourceFolder(path));
    const ignored = gitIgnored(inside);
    for (const path of inside) if (!ignored.has(path)) enter(path, tell);
  };
  const enter = (folder: string, tell: boolean) => {
    if (watchers.has(folder) || watchers.size >= MOST_FOLDERS || !(roots.has(folder) || isSourceFolder(folder))) return;
    watchers.set(folder, { close() {} });
    lookInto(folder, tell);
    if (options.pollMs !== null)
      watchers.set(
        folder,
        every(options.pollMs, () => lookInto(folder, true)),
      );
    else
      watchers.set(
        folder,
        watchFolder(folder, (name) => (name === null ? lookInto(folder, true) : look(join(folder, name)))),
      );
  };
  const leave = (folder: string) => {
    for (const [path, watcher] of watchers) {
      if (roots.has(path) || relative(folder, path).startsWith("..")) continue;
      watcher.close();
      watchers.delete(path);
    }
  };
  for (const folder of folders) enter(folder, false);
  return {
    count: () => ({
      folders: watchers.size,
      unwatched: [...watchers.values()].filter((one) => one.watched?.() === false).length,
    }),
    close() {
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}

const isSourceFolder = (path: string): boolean => !NOT_FOLDERS.has(basename(path)) && !basename(path).startsWith(".");

/**
 * Those of the paths (of one folder) that git ignores; none where there is no git or no repository. A repository's own
 * settings can name programs that even this question would start: a file system monitor, and a remote to fetch a missing
 * .gitignore from. Sources may be a stranger's, and looking at them must run nothing.
 * Source: git-config(1), core.fsmonitor; git(1), GIT_ALLOW_PROTOCOL. Both were seen to run with git 2.39.
 */
function gitIgnored(paths: readonly string[]): Set<string> {
  const [first] = paths;
  if (first === undefined) return new Set();
  const { stdout } = spawnSync("git", ["-c", "core.fsmonitor=false", "check-ignore", "-z", "--stdin"], {
    cwd: dirname(first),
    env: { ...process.env, GIT_ALLOW_PROTOCOL: "" },
    input: paths.join("\0"),
    encoding: "utf8",
    stdio: ["pipe", "pipe", "ignore"],
  });
  return new Set((stdout ?? "").split("\0").filter((path) => path !== ""));
}
