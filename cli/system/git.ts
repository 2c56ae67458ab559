/**
 * What git says of files. It is asked beside the session, and once for many files: each question takes as long as a build of
 * a small source. A repository's own settings can name programs that even these questions would start: a file system monitor,
 * and a remote to fetch a missing .gitignore from. Sources may be a stranger's, and looking at them must run nothing.
 * Source: git-config(1), core.fsmonitor; git(1), GIT_ALLOW_PROTOCOL. Both were seen to run with git 2.39.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** What a repository's index lists, as absolute paths. */
interface Index {
  /** Of the index file when it was read. */
  readonly stamp: string;
  readonly files: ReadonlySet<string>;
  /** Folders with tracked files in them or below. */
  readonly folders: ReadonlySet<string>;
}

/** ms after which a lock is one that a git which died has left. */
const LOCK_MS = 5000;

/** The repositories that watched files lie in. */
export class Repositories {
  readonly #indexes = new Map<string, Index>();
  /** Folder -> top of its repository. */
  readonly #tops = new Map<string, string | null>();

  /** Reads the indexes of the repositories that these folders lie in, where they have changed. Never rejects. */
  async read(folders: Iterable<string>): Promise<void> {
    const tops = new Set([...new Set(folders)].map((folder) => this.#topOf(folder)));
    for (const top of tops) if (top !== null) await this.#readIndex(top);
  }

  /** Those of the paths that git ignores: one question for each repository. Never rejects. */
  async ignored(paths: readonly string[]): Promise<ReadonlySet<string>> {
    const byTop = new Map<string, string[]>();
    for (const path of paths) {
      const top = this.#topOf(dirname(path));
      if (top === null || this.isTracked(path)) continue;
      const asked = byTop.get(top);
      if (asked === undefined) byTop.set(top, [path]);
      else asked.push(path);
    }
    const ignored = new Set<string>();
    for (const [top, asked] of byTop)
      await ask(top, ["check-ignore", "-z", "--stdin"], asked, (path) => ignored.add(path));
    return ignored;
  }

  /** Whether the index listed it, or files below it, when it was last read. */
  isTracked(path: string): boolean {
    const top = this.#topOf(dirname(path));
    const index = top === null ? undefined : this.#indexes.get(top);
    return index !== undefined && (index.files.has(path) || index.folders.has(path));
  }

  /** Whether git is writing to one of the working folders: it holds its lock until a switch is done. */
  get busy(): boolean {
    return [...this.#indexes.keys()].some((top) => {
      const lock = statSync(`${indexOf(top)}.lock`, { throwIfNoEntry: false });
      return lock !== undefined && Date.now() - lock.mtimeMs < LOCK_MS;
    });
  }

  async #readIndex(top: string): Promise<void> {
    const stamp = stampOf(indexOf(top));
    if (this.#indexes.get(top)?.stamp === stamp) return;
    const files = new Set<string>();
    const folders = new Set<string>();
    await ask(top, ["ls-files", "-z"], [], (name) => {
      const path = join(top, name);
      files.add(path);
      for (let at = dirname(path); at.length >= top.length && !folders.has(at); at = dirname(at)) folders.add(at);
    });
    this.#indexes.set(top, { stamp, files, folders });
  }

  #topOf(folder: string): string | null {
    const known = this.#tops.get(folder);
    if (known !== undefined) return known;
    const up = dirname(folder);
    const top = existsSync(join(folder, ".git")) ? folder : up === folder ? null : this.#topOf(up);
    this.#tops.set(folder, top);
    return top;
  }
}

/** In a work tree of its own, or a submodule, `.git` is a file that names the folder. */
function indexOf(top: string): string {
  const path = join(top, ".git");
  try {
    if (statSync(path).isDirectory()) return join(path, "index");
    return join(
      resolve(
        top,
        readFileSync(path, "utf8")
          .replace(/^gitdir: /, "")
          .trim(),
      ),
      "index",
    );
  } catch {
    return join(path, "index");
  }
}

function stampOf(path: string): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? "" : `${stats.ino} ${stats.size} ${stats.mtimeNs}`;
}

/** Resolves once git has ended; without git it has nothing to say. @param each receives what git lists */
function ask(cwd: string, args: readonly string[], input: readonly string[], each: (item: string) => void) {
  return new Promise<void>((done) => {
    const child = spawn("git", ["-c", "core.fsmonitor=false", ...args], {
      cwd,
      env: { ...process.env, GIT_ALLOW_PROTOCOL: "", GIT_OPTIONAL_LOCKS: "0" },
      stdio: ["pipe", "pipe", "ignore"],
    });
    let rest = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (chunk: string) => {
      const items = (rest + chunk).split("\0");
      rest = items.pop() ?? "";
      for (const item of items) each(item);
    });
    child.on("error", () => done());
    child.on("close", () => done());
    child.stdin.on("error", () => {}); // it ended before it had read everything
    child.stdin.end(input.map((path) => `${path}\0`).join(""));
  });
}
