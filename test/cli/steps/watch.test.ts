/** Every way in which builds and editors change files is noticed: real files, real inotify. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
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
  readonly changes = (changes: readonly { readonly path: string }[]) => {
    for (const { path } of changes) this.sign(path);
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

const git = (folder: string, ...args: string[]): string =>
  execFileSync("git", ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.org", ...args], {
    encoding: "utf8",
    stdio: "pipe",
  });

/** Files below a folder, and the folders that they need. */
function fill(folder: string, files: readonly string[], text = "x"): void {
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
}

/** Watches a folder as a session does; what is told, relative to the folder. */
async function watched(t: ExecutionContext, folder: string, pollMs: number | null = null) {
  await new Promise((resolve) => setTimeout(resolve, 20)); // what was written just now would count as saved since
  const signs = new Signs();
  const ignore = (path: string) => path.endsWith("result.c");
  const watcher = watchSources([folder], signs.changes, { pollMs, ignore });
  t.teardown(() => watcher.close());
  await watcher.ready;
  const names = () => [...new Set(signs.seen)].map((path) => relative(folder, path)).sort();
  /** Writes files, the last of which is told. */
  const write = async (...files: string[]) => {
    const from = signs.seen.length;
    fill(folder, files, `${performance.now()}`);
    const last = join(folder, files.at(-1) ?? "");
    while (!signs.seen.slice(from).includes(last)) await signs.next(last);
  };
  return { signs, names, write, watcher };
}

for (const pollMs of [null, 20])
  test(`sources are told by path; results, editors' droppings and what git ignores are not (poll: ${pollMs})`, async (t) => {
    const folder = folderOf(t);
    git(folder, "init", "-q");
    fill(folder, [".gitignore"], "generated/\n*.gen.c\n");
    fill(folder, ["src/a.c", "src/deep/a.c", "generated/x.c"]);
    const { names, write } = await watched(t, folder, pollMs);
    await write(
      ...[
        "generated/x.c",
        "generated/deep/y.c",
        "src/a.o",
        "src/lib.so",
        "src/.a.c.swp",
        "src/.a.c.swo",
        "src/x.gen.c",
      ],
      ...["src/x.log", "src/result.c", "src/4913", "src/a.c~", "src/#a.c#", "src/.#a.c", "src/a.c.tmp", "src/a.c"],
    );
    await write("src/deep/b.c");
    await write("src/later/c.c");
    renameSync(join(folder, "src/a.c.tmp"), join(folder, "src/renamed.c"));
    await write("src/later/deeper/d.h");
    t.deepEqual(names(), ["src/a.c", "src/deep/b.c", "src/later/c.c", "src/later/deeper/d.h", "src/renamed.c"]);
  });

test("without a repository only what is called like a source is told: no logs, data or texts", async (t) => {
  const folder = folderOf(t);
  fill(folder, ["a.c", "out", "data.json"]);
  const { names, write } = await watched(t, folder);
  const sources = ["Makefile", "CMakeLists.txt", "rules.mk", "a.rs", "b.hpp", "c.inl", "Cargo.toml", "a.c"];
  const others = [
    "out",
    "hp.log",
    "hp.log.1",
    "nohup.out",
    "core",
    "core.12",
    "data.json",
    "notes.txt",
    ".x.c",
    "trace",
  ];
  for (let i = 0; i < 3; i++) await write(...others, ...sources);
  t.deepEqual(names(), sources.sort());
});

test("what git tracks is told whatever its name, unless it is a log or a result", async (t) => {
  const folder = folderOf(t);
  git(folder, "init", "-q");
  const tracked = ["levels/one.json", "dist/table.txt", "target/build/a.c", ".settings/flags", "words"];
  fill(folder, [...tracked, "hp.log", "tool"]);
  writeFileSync(join(folder, "tool"), "\x7fELF");
  git(folder, "add", "-f", ".");
  const { names, write } = await watched(t, folder);
  writeFileSync(join(folder, "tool"), "\x7fELF 2");
  await write("hp.log", "levels/two.json", ...tracked);
  git(folder, "add", "levels/two.json");
  await write("levels/two.json");
  t.deepEqual(names(), [...tracked, "levels/two.json"].sort());
});

test("a folder is left out for what is in it, not for its name", async (t) => {
  const folder = folderOf(t);
  fill(folder, ["target/a.c", "build/b.c", "dist/c.c", "node_modules/d.c", "src/e.o", "src/e.c"]);
  fill(folder, ["cmake/CMakeCache.txt", "cmake/deep/a.c", "rust/CACHEDIR.TAG", "rust/debug/out/b.rs", "objects/e.o"]);
  fill(folder, ["packages/.package-lock.json", "packages/one/c.c", ".cache/d.c"]);
  const { names, write, watcher } = await watched(t, folder);
  t.is(watcher.count().folders, 6);
  const products = ["cmake/deep/a.c", "rust/debug/out/b.rs", "packages/one/c.c", ".cache/d.c"];
  const sources = ["target/a.c", "build/b.c", "dist/c.c", "node_modules/d.c", "src/e.c"];
  await write(...products, ...sources);
  // A folder that becomes one of products.
  await write("later/g.c");
  await write("later/CMakeCache.txt", "src/e.c");
  await write("later/g.c", "src/e.c");
  t.deepEqual(names(), [...sources, "later/g.c"].sort());
  t.is(watcher.count().folders, 6);
});

test("what is written in place by a linker is no source, and before it has a header", async (t) => {
  const folder = folderOf(t);
  git(folder, "init", "-q");
  const at = (name: string) => join(folder, name);
  writeFileSync(at("a.c"), "a");
  writeFileSync(at("host"), "\x7fELF 1");
  git(folder, "add", ".");
  const { names, write, signs } = await watched(t, folder);
  for (const name of ["libgame.so.new", "libgame.so.tmp1", "host", "tool.in"]) {
    rmSync(at(name), { force: true });
    for (const bytes of ["", "\0\0\0\0\0\0\0\0", "\x7fELF 2"]) {
      writeFileSync(at(name), bytes);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  await write("b.c");
  const from = signs.seen.length;
  writeFileSync(at("a.c"), "");
  await signs.next("a source that is empty now", from);
  t.deepEqual(names(), ["a.c", "b.c"]);
});

test("what is saved while the folders are being taken in is told", async (t) => {
  const folder = folderOf(t);
  const sources = Array.from({ length: 200 }, (_, i) => `f${i % 20}/s${i}.c`);
  fill(folder, sources);
  const past = new Date(Date.now() - 60_000);
  for (const file of sources) utimesSync(join(folder, file), past, past);
  const signs = new Signs();
  const watcher = watchSources([folder], signs.changes, { pollMs: null, ignore: () => false });
  t.teardown(() => watcher.close());
  const saved = ["f0/s0.c", "f7/s7.c", "f19/s199.c"];
  fill(folder, saved, "edited");
  while (new Set(signs.seen).size < saved.length) await signs.next("a save at the start");
  t.deepEqual([...new Set(signs.seen)].sort(), saved.map((file) => join(folder, file)).sort());
});

test("a repository's settings start no program while its sources are watched", async (t) => {
  const folder = folderOf(t);
  const ran = join(folder, "ran");
  git(folder, "init", "-q");
  writeFileSync(join(folder, ".gitignore"), "*.log\n");
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "src/a.c"), "a");
  git(folder, "add", ".gitignore", "src");
  mkdirSync(join(folder, "other")); // git is asked whether it is ignored
  git(folder, "commit", "-qm", "first");
  const looked = async () => {
    const watcher = watchSources([folder], () => {}, { pollMs: 5000, ignore: () => false });
    await watcher.ready;
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

  git(folder, "config", "core.fsmonitor", `touch '${ran}'; true`);
  t.true(asksGit(), "without our care git starts the monitor");
  t.false(await looked());
  git(folder, "config", "--unset", "core.fsmonitor");

  // A partial clone whose .gitignore is only at its remote.
  const blob = git(folder, "rev-parse", "HEAD:.gitignore").trim();
  git(folder, "update-index", "--skip-worktree", ".gitignore");
  rmSync(join(folder, ".gitignore"));
  rmSync(join(folder, ".git/objects", blob.slice(0, 2), blob.slice(2)));
  for (const [name, value] of [
    ["core.repositoryFormatVersion", "1"],
    ["extensions.partialClone", "origin"],
    ["remote.origin.promisor", "true"],
    ["remote.origin.url", `ext::touch ${ran}`],
    ["protocol.ext.allow", "always"],
  ] as const)
    git(folder, "config", name, value);
  t.true(asksGit(), "without our care git starts the remote's program");
  t.false(await looked());
});
