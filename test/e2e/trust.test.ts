/** A hotpatch.json that nobody named runs no command unasked. Whether it ran is told by the file that its build makes. */
import { execFile } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import test from "../support/test.js";
import { CLI } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

/** Starts argv on a terminal, answers the first question, prints what stood there, and ends as argv did. */
const TERMINAL = `
import os, pty, sys
answer, argv = sys.argv[1], sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(argv[0], argv)
seen = b""
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    if answer and b"[y/N] " in seen:
        os.write(fd, answer.encode() + b"\\n")
        answer = ""
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

/** A project of a stranger, in which hotpatch is started one folder below. */
class Project {
  readonly #shop: Workshop;
  readonly folder: string;
  readonly file: string;
  readonly #home: string;

  constructor(t: ExecutionContext, settings: object) {
    this.#shop = new Workshop(t);
    this.folder = this.#shop.path("project");
    this.file = join(this.folder, "hotpatch.json");
    this.#home = this.#shop.path("config");
    mkdirSync(join(this.folder, "src"), { recursive: true });
    this.says(settings);
  }

  says(settings: object): void {
    writeFileSync(this.file, JSON.stringify(settings));
  }

  /** Whether the build has run since the last question. */
  get built(): boolean {
    const ran = join(this.folder, "ran");
    const did = existsSync(ran);
    rmSync(ran, { force: true });
    return did;
  }

  get store(): string {
    return join(this.#home, "hotpatch/trusted.json");
  }

  /** Without a terminal: as scripts and editors start it. */
  start(...args: string[]): Promise<{ code: number; text: string }> {
    return this.#run(process.execPath, [CLI, ...args]);
  }

  /** On a terminal; "" answers nothing. */
  type(answer: string, ...args: string[]): Promise<{ code: number; text: string }> {
    return this.#run("python3", ["-c", TERMINAL, answer, process.execPath, CLI, ...args]);
  }

  #run(program: string, args: string[]): Promise<{ code: number; text: string }> {
    const env = { ...process.env, TMPDIR: this.#shop.temp, XDG_CONFIG_HOME: this.#home };
    return new Promise((resolve) => {
      const child = execFile(
        program,
        args,
        { cwd: join(this.folder, "src"), env, timeout: 30_000 },
        (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), text: stdout + stderr }),
      );
      child.stdin?.end();
    });
  }
}

/** Its build runs at the start, because the library is not there, and makes only the file that tells: then exit code 3. */
const settings = (folder: string) => ({ library: ["absent.so"], build: `touch '${folder}/ran'` });
const RAN = 3;
const REFUSED = 2;
const HOST = ["--", "true"];

const project = (t: ExecutionContext): Project => {
  const made = new Project(t, {});
  made.says(settings(made.folder));
  return made;
};

test("a found build command is refused where nobody can be asked, and nothing is started", async (t) => {
  const p = project(t);
  for (const form of ["--json", "--plain"]) {
    const { code, text } = await p.start("spawn", form, ...HOST);
    t.is(code, REFUSED, text);
    t.regex(text, /untrusted-config[\s\S]*would run the build command "touch [\s\S]*the target was not touched/);
    t.false(p.built);
  }
});

test("a named file, and a build on the command line, are asked for: the found file's other settings hold", async (t) => {
  const p = project(t);
  const named = await p.start("spawn", "--json", "--config", p.file, ...HOST);
  t.is(named.code, RAN, named.text);
  t.true(p.built);
  const given = await p.start("spawn", "--json", "--build", "true", ...HOST);
  t.is(given.code, RAN, given.text);
  t.regex(given.text, /library-not-found[\s\S]*absent\.so/);
  t.false(p.built);
  p.says({ library: ["absent.so"] });
  const harmless = await p.start("spawn", "--json", ...HOST);
  t.is(harmless.code, RAN, harmless.text);
  t.regex(harmless.text, /project\/absent\.so/);
  t.false(existsSync(p.store), "nothing was remembered");
});

test("on a terminal the user is asked once, and again when the file has changed", async (t) => {
  const p = project(t);
  const no = await p.type("n", "spawn", "--plain", ...HOST);
  t.is(no.code, REFUSED, no.text);
  t.regex(no.text, /hotpatch\.json was found: it would run the build command "touch .*Trust it\? \[y\/N\]/);
  t.false(p.built);
  const yes = await p.type("y", "spawn", "--plain", ...HOST);
  t.is(yes.code, RAN, yes.text);
  t.true(p.built);
  t.is(statSync(p.store).mode & 0o777, 0o600);
  t.deepEqual(Object.keys(JSON.parse(readFileSync(p.store, "utf8"))), [p.file]);

  const again = await p.start("spawn", "--json", ...HOST);
  t.is(again.code, RAN, again.text);
  t.true(p.built);
  p.says({ ...settings(p.folder), settle: 20 });
  t.is((await p.start("spawn", "--json", ...HOST)).code, REFUSED);
  t.false(p.built);
  const json = await p.type("", "spawn", "--json", ...HOST);
  t.is(json.code, REFUSED, "--json is never asked");
});

test("what the loader is told to load into the host is asked for like a build", async (t) => {
  const p = new Project(t, { env: { LD_PRELOAD: "./evil.so", GAME_LEVEL: "3" } });
  const { code, text } = await p.start("spawn", "--json", ...HOST);
  t.is(code, REFUSED);
  t.regex(text, /untrusted-config[\s\S]*LD_PRELOAD="\.\/evil\.so"/);
  t.notRegex(text, /GAME_LEVEL/);
});

test("a found file that everybody may write to is refused whatever it says", async (t) => {
  const p = new Project(t, { library: ["absent.so"] });
  chmodSync(p.file, 0o666);
  const { code, text } = await p.start("spawn", "--json", ...HOST);
  t.is(code, REFUSED);
  t.regex(text, /untrusted-config[\s\S]*everybody may write/);
  t.is((await p.start("spawn", "--json", "--config", p.file, ...HOST)).code, RAN);
});

const root = process.getuid?.() === 0 ? test : test.skip;
root("another user's found file is refused whatever it says", async (t) => {
  const p = new Project(t, { library: ["absent.so"] });
  chownSync(p.file, 65534, 65534);
  const { code, text } = await p.start("spawn", "--json", ...HOST);
  t.is(code, REFUSED);
  t.regex(text, /untrusted-config[\s\S]*belongs to user 65534/);
});
