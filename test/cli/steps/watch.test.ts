/** Every way in which builds and editors change files is noticed: real files, real inotify. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { watchFile } from "../../../cli/steps/watch-file.js";
import { watchSources } from "../../../cli/steps/watch-sources.js";

const folderOf = (t: ExecutionContext): string => {
  const folder = mkdtempSync(join(tmpdir(), "hotpatch-watch-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

/** Counts signs and waits for the next one. */
class Signs {
  readonly seen: string[] = [];
  #wake = () => {};
  readonly sign = (path = "") => {
    this.seen.push(path);
    this.#wake();
  };
  async next(what: string, from = this.seen.length): Promise<void> {
    const until = performance.now() + 5000;
    while (this.seen.length <= from) {
      const left = until - performance.now();
      if (left <= 0) throw new Error(`${what} was not noticed`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

for (const pollMs of [null, 20]) {
  test(`writes, renames, links, deletions and a folder made anew are noticed (poll: ${pollMs})`, async (t) => {
    const folder = join(folderOf(t), "build");
    mkdirSync(folder);
    const path = join(folder, "lib.so");
    writeFileSync(path, "1");
    const signs = new Signs();
    const watcher = watchFile(path, signs.sign, { pollMs });
    t.teardown(() => watcher.close());
    const to = (name: string) => join(folder, name);
    const ways: [string, ...(() => void)[]][] = [
      ["a write in place", () => appendFileSync(path, "2")],
      ["a rename over it", () => writeFileSync(to("new"), "33"), () => renameSync(to("new"), path)],
      ["unlink and create", () => unlinkSync(path), () => writeFileSync(path, "444")],
      ["a hard link", () => unlinkSync(path), () => writeFileSync(to("x"), "5"), () => linkSync(to("x"), path)],
      [
        "a folder that is made anew",
        () => rmSync(folder, { recursive: true }),
        () => mkdirSync(folder),
        () => writeFileSync(path, "666666"),
      ],
      ["a write in the new folder", () => writeFileSync(path, "7777777")],
    ];
    for (const [what, ...changes] of ways) {
      const from = signs.seen.length;
      for (const change of changes) change();
      await signs.next(what, from);
    }
    t.true(signs.seen.length >= ways.length);
  });
}

test("sources are told by path; results, editors' droppings and what git ignores are not", async (t) => {
  const folder = folderOf(t);
  execFileSync("git", ["init", "-q", folder]);
  writeFileSync(join(folder, ".gitignore"), "generated/\n*.log\n");
  for (const inner of ["src", "src/deep", "generated", "build"]) mkdirSync(join(folder, inner));
  writeFileSync(join(folder, "src/a.c"), "a");
  const signs = new Signs();
  const watcher = watchSources([folder], signs.sign, { pollMs: null, ignore: (path) => path.endsWith("result") });
  t.teardown(() => watcher.close());
  for (const ignored of [
    "generated/x.c",
    "build/x.c",
    "src/a.o",
    "src/lib.so",
    "src/.a.c.swp",
    "src/x.log",
    "src/result",
    "src/4913",
    "src/a.c~",
  ])
    writeFileSync(join(folder, ignored), "x");
  let from = signs.seen.length;
  writeFileSync(join(folder, "src/a.c"), "changed");
  await signs.next("a changed source", from);
  from = signs.seen.length;
  writeFileSync(join(folder, "src/deep/b.c"), "new");
  await signs.next("a new source in a folder below", from);
  from = signs.seen.length;
  mkdirSync(join(folder, "src/later"));
  copyFileSync(join(folder, "src/a.c"), join(folder, "src/later/c.c"));
  await signs.next("a source in a new folder", from);
  t.deepEqual(
    [...new Set(signs.seen)].sort(),
    ["src/a.c", "src/deep/b.c", "src/later/c.c"].map((p) => join(folder, p)),
  );
});

test("what a linker writes is no source, whatever its name, and before it has a header", async (t) => {
  const folder = folderOf(t);
  const at = (name: string) => join(folder, name);
  writeFileSync(at("a.c"), "a");
  writeFileSync(at("host"), "\x7fELF 1");
  const signs = new Signs();
  const watcher = watchSources([folder], signs.sign, { pollMs: null, ignore: () => false });
  t.teardown(() => watcher.close());
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  for (const name of ["libgame.so.new", "libgame.so.tmp1", "host", "tool"]) {
    rmSync(at(name), { force: true });
    for (const bytes of ["", "\0\0\0\0\0\0\0\0", "\x7fELF 2"]) {
      writeFileSync(at(name), bytes);
      await pause();
    }
  }
  let from = signs.seen.length;
  writeFileSync(at("b.c"), "new");
  await signs.next("a new source", from);
  from = signs.seen.length;
  writeFileSync(at("a.c"), "");
  await signs.next("a source that is empty now", from);
  t.deepEqual([...new Set(signs.seen)].sort(), [at("a.c"), at("b.c")]);
});

test("a repository's settings start no program while its sources are watched", (t) => {
  const folder = folderOf(t);
  const git = (...args: string[]) => execFileSync("git", ["-C", folder, ...args], { encoding: "utf8", stdio: "pipe" });
  const ran = join(folder, "ran");
  git("init", "-q");
  writeFileSync(join(folder, ".gitignore"), "*.log\n");
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "src/a.c"), "a");
  git("add", ".gitignore", "src");
  git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "first");
  const looked = () => {
    const watcher = watchSources([folder], () => {}, { pollMs: 5000, ignore: () => false });
    watcher.close();
    return existsSync(ran);
  };
  const asksGit = () => {
    try {
      execFileSync("git", ["check-ignore", "-q", "src/a.log"], { cwd: folder, stdio: "ignore" });
    } catch {
      // 1: not ignored; 128: the remote could not be asked
    }
    const did = existsSync(ran);
    rmSync(ran, { force: true });
    return did;
  };

  git("config", "core.fsmonitor", `touch '${ran}'; true`);
  t.true(asksGit(), "without our care git starts the monitor");
  t.false(looked());
  git("config", "--unset", "core.fsmonitor");

  // A partial clone whose .gitignore is only at its remote.
  const blob = git("rev-parse", "HEAD:.gitignore").trim();
  git("update-index", "--skip-worktree", ".gitignore");
  rmSync(join(folder, ".gitignore"));
  rmSync(join(folder, ".git/objects", blob.slice(0, 2), blob.slice(2)));
  for (const [name, value] of [
    ["core.repositoryFormatVersion", "1"],
    ["extensions.partialClone", "origin"],
    ["remote.origin.promisor", "true"],
    ["remote.origin.url", `ext::touch ${ran}`],
    ["protocol.ext.allow", "always"],
  ] as const)
    git("config", name, value);
  t.true(asksGit(), "without our care git starts the remote's program");
  t.false(looked());
});
