/** `hotpatch doctor`: what it says of this machine, of a poorer one, and of processes. By the program itself. */
import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import test from "ava";
import { checkTracing, whyDenied } from "../../../cli/preflight/permission.js";
import type { ProcessFacts } from "../../../cli/system/process-facts.js";
import { type DoctorCheck, DoctorReport } from "../../../schemas/doctor-report.js";
import { DLOPEN_HOST, library } from "../../support/programs.js";
import { asRoot, withMounts, withoutWatches } from "../../support/sandbox.js";
import { CLI } from "../../support/tool.js";
import { Lines, ROOT, Workshop } from "../../support/workshop.js";

const run = promisify(execFile);

async function doctor(args: string[], env: NodeJS.ProcessEnv = {}, through: string[] = []) {
  const [command = "", ...rest] = [...through, process.execPath, CLI, "doctor", ...args];
  try {
    return { code: 0, ...(await run(command, rest, { cwd: ROOT, env: { ...process.env, ...env } })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

async function examine(args: string[], env: NodeJS.ProcessEnv = {}, through: string[] = []) {
  const { code, stdout } = await doctor(["--json", ...args], env, through);
  const report = DoctorReport.parse(JSON.parse(stdout));
  const check = (about: string): DoctorCheck => {
    const found = report.checks.find((one) => one.about === about);
    if (found === undefined) throw new Error(`nothing is said about ${about}: ${stdout}`);
    return found;
  };
  return { code, report, check };
}

test("on a machine where the tests run, all that is needed is there, and a host has been entered", async (t) => {
  const { code, report, check } = await examine([]);
  t.is(code, 0);
  t.true(report.ok);
  t.regex(check("backend").says, /frida \d+\.\d+/);
  t.regex(check("trial").says, /entered in \d+ ms/);
  t.regex(check("watching").says, /\d+ source folders .*max_user_watches \d+/);
});

test("a process that can be patched is looked at and left alone", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout);
  await output.next((line) => line === "value 1", "value 1");
  const { code, stdout } = await doctor([String(host.pid)]);
  t.is(code, 0, stdout);
  for (const about of ["permission", "tracer", "state", "executable", "limits", "seccomp", "file system", "copies"])
    t.regex(stdout, new RegExp(`^ok +${about} `, "m"));
  await output.next((line) => line === "value 1", "value 1", output.all.length);
});

test("a process that cannot be patched is a problem with its code and cure, and exit code 1", async (t) => {
  const shop = new Workshop(t);
  const source = '#include <unistd.h>\nint main(void) { for (;;) { write(1, "on\\n", 3); usleep(20000); } }';
  const host = shop.start(await shop.host("alone", source, ["-static"]), []);
  const output = new Lines(host.stdout);
  await output.next((line) => line === "on", "on");
  const { code, report, check } = await examine([String(host.pid)]);
  t.is(code, 1);
  t.false(report.ok);
  t.is(report.pid, host.pid ?? 0);
  t.is(check("executable").code, "static-host");
  t.regex(check("executable").cure ?? "", /dynamically/);
  t.true(check("permission").ok);
  t.regex((await doctor([String(host.pid)])).stdout, /^problem +executable [\s\S]*cure: link/m);
  await output.next((line) => line === "on", "on", output.all.length);
});

test("a process that is not there is no-such-process, exit code 3", async (t) => {
  const { code, stderr } = await doctor(["4194000"]);
  t.is(code, 3);
  t.regex(stderr, /no-such-process/);
});

test("without a backend the problem is named with its cure, and the rest is looked at", async (t) => {
  const { code, check } = await examine([], { HOTPATCH_PYTHON: "/no/python" });
  const backend = check("backend");
  if (backend.ok) {
    t.regex(backend.says, /native/); // npm's binding loads here
    return;
  }
  t.is(code, 1);
  t.is(backend.code, "no-backend");
  t.regex(backend.cure ?? "", /npm run setup/);
  t.true(check("folder for copies").ok);
});

test("what is only useful and missing is no reason to fail", async (t) => {
  const python = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).trim();
  const { code, check } = await examine([], { PATH: "/no/programs", HOTPATCH_PYTHON: python });
  t.is(code, 0);
  for (const about of ["compiler", "names"]) {
    t.false(check(about).ok);
    t.false(check(about).needed);
    t.regex(check(about).cure ?? "", /install/);
  }
});

(withoutWatches === null ? test.skip : test)(
  "used up inotify limits are named with the numbers and the cure",
  async (t) => {
    const { code, check } = await examine([], {}, withoutWatches ?? []);
    t.is(code, 0);
    t.regex(check("watching").says, /^(\d+) of \1 source folders .* cannot be watched/);
    t.regex(check("watching").cure ?? "", /sysctl -w fs\.inotify/);
  },
);

asRoot("a temporary folder that cannot serve is named with the reason, and with the one that does", async (t) => {
  const shop = new Workshop(t);
  const walls = withMounts(`mount -t tmpfs -o noexec none '${shop.temp}'`);
  const { check } = await examine([], { TMPDIR: shop.temp }, walls);
  t.true(check("folder for copies").ok);
  t.true(check("folder for copies").says.includes(`/var/tmp (${shop.temp}: code cannot be mapped from it (noexec))`));
});

// Yama is a choice of the kernel's build: what it forbids is asked of the kernel, and only the words are tested here.
test("Yama's four scopes are explained", (t) => {
  const user = { uid: 1000, capabilities: 0n };
  const root = { uid: 0, capabilities: (1n << 41n) - 1n };
  const says = (us: typeof user, yama: number | null) => {
    const found = checkTracing({ ...us, yama });
    return found.ok ? "ok" : `${found.needed ? "needed" : "less"}: ${found.lack}`;
  };
  t.is(says(user, null), "ok");
  t.is(says(user, 0), "ok");
  t.regex(says(user, 1), /^less: .*scope is 1.*spawn works/);
  t.regex(says(user, 2), /^needed: .*only root/);
  t.is(says(root, 2), "ok");
  t.regex(says(root, 3), /^needed: .*nobody/);
  const target = { uid: 1000, capabilities: 0n } as ProcessFacts;
  for (const yama of [1, 2, 3])
    t.true(whyDenied(target, { ...user, yama }, 1000)?.startsWith(`kernel.yama.ptrace_scope is ${yama}`));
  t.is(whyDenied(target, { ...user, yama: 0 }, 1000), null);
});
