/** The private folder: made for one process, swept when that is gone, never through a link. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import test from "ava";
import {
  isSeenBy,
  leaveForDebugger,
  makeFolder,
  removeFolder,
  removeFoldersOf,
  sweepFolders,
} from "../../../cli/system/private-folder.js";
import { startTimeOf } from "../../../cli/system/proc.js";

// os.tmpdir() reads it on every call. A directory of our own: other sessions on this machine may hold folders in /tmp.
const scratch = await mkdtemp(join(tmpdir(), "hotpatch-test-"));
process.env.TMPDIR = scratch;
test.after.always(() => rmSync(scratch, { recursive: true, force: true }));

/** The pid and start time of a process that has ended. */
async function deadProcess(): Promise<{ pid: number; startTime: number }> {
  const child = spawn("cat", { stdio: ["pipe", "ignore", "ignore"] });
  const pid = child.pid ?? 0;
  const startTime = startTimeOf(pid) ?? -1;
  child.stdin.end();
  await once(child, "exit");
  return { pid, startTime };
}

test.serial("a start time is field 22 of /proc/PID/stat, and null for no process", async (t) => {
  const ours = startTimeOf(process.pid);
  const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
  t.true(ours !== null && ours > 0 && ours / 100 <= uptime + 1);
  const { pid, startTime } = await deadProcess();
  t.true(startTime >= (ours ?? 0));
  t.is(startTimeOf(pid), null);
});

test.serial("a start time is read behind a process name with spaces and parentheses", async (t) => {
  const program = join(scratch, "a) R 1 (b");
  symlinkSync("/bin/cat", program);
  const child = spawn(program, { stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.write("up\n");
  await once(child.stdout, "data");
  t.regex(readFileSync(`/proc/${child.pid}/stat`, "utf8"), /\(a\) R 1 \(b\)/);
  t.true((startTimeOf(child.pid ?? 0) ?? 0) >= (startTimeOf(process.pid) ?? 1));
  child.stdin.end();
  await once(child, "exit");
  rmSync(program);
});

test.serial("a folder is private and named after its process", async (t) => {
  const path = await makeFolder(scratch, process.pid, 4711, null);
  t.regex(basename(path), new RegExp(`^hotpatch-${process.pid}-4711-[A-Za-z0-9]{6}$`));
  t.is(statSync(path).mode & 0o7777, 0o700);
  t.true(removeFolder(path));
  t.false(existsSync(path));
});

const root = process.getuid?.() === 0;
(root ? test.serial : test.serial.skip)("as root the folder belongs to the target's user", async (t) => {
  const path = await makeFolder(scratch, process.pid, 1, 65534);
  t.is(statSync(path).uid, 65534);
  t.true(removeFolder(path));
});

test.serial("a sweep removes the folders of ended processes and of reused pids, and keeps a live one's", async (t) => {
  const { pid, startTime } = await deadProcess();
  const dead = await makeFolder(scratch, pid, startTime, null);
  writeFileSync(join(dead, "libgame.g1.so"), "copy");
  const reused = await makeFolder(scratch, process.pid, (startTimeOf(process.pid) ?? 0) - 1, null);
  const live = await makeFolder(scratch, process.pid, startTimeOf(process.pid), null);
  const others = ["hotpatch-test-abcdef", "hotpatch-1-2", "other-1-2-abcdef"].map((name) => join(scratch, name));
  for (const other of others) mkdirSync(other);
  const bridges = join(scratch, `hotpatch-${pid}-${startTime}-ab_cd1ef`); // as Python's tempfile names them
  mkdirSync(bridges);
  t.deepEqual(sweepFolders([scratch]).sort(), [dead, reused, bridges].sort());
  t.deepEqual([dead, reused, live, ...others].map(existsSync), [false, false, true, true, true, true]);
  removeFolder(live);
});

test.serial("what a debugger may want is swept a day later, and nothing is left for it where nothing is", async (t) => {
  const { pid, startTime } = await deadProcess();
  const copies = await makeFolder(scratch, pid, startTime, null);
  writeFileSync(join(copies, "libgame.g1.so"), "copy");
  const empty = await makeFolder(scratch, pid, startTime, null);
  t.deepEqual(leaveForDebugger([scratch], pid, startTime), [copies]);
  t.deepEqual(sweepFolders([scratch]), [empty]);
  const hour = 60 * 60 * 1000;
  t.deepEqual(sweepFolders([scratch], Date.now() + 23 * hour), []);
  t.deepEqual(sweepFolders([scratch], Date.now() + 25 * hour), [copies]);
});

test.serial("a sweep neither follows nor removes what links lead to", async (t) => {
  const { pid, startTime } = await deadProcess();
  const precious = join(scratch, "precious");
  mkdirSync(precious);
  writeFileSync(join(precious, "file"), "keep me");
  const link = join(scratch, `hotpatch-${pid}-${startTime}-linked`);
  symlinkSync(precious, link);
  const file = join(scratch, `hotpatch-${pid}-${startTime}-afile0`);
  writeFileSync(file, "not a folder");
  const nested = await makeFolder(scratch, pid, startTime, null);
  mkdirSync(join(nested, "directory"));
  symlinkSync(precious, join(nested, "directory", "link"));
  const inner = await makeFolder(scratch, pid, startTime, null);
  symlinkSync(join(precious, "file"), join(inner, "libgame.g1.so"));
  t.deepEqual(sweepFolders([scratch]).sort(), [inner, nested].sort(), "links inside go, what they lead to stays");
  t.true(lstatSync(link).isSymbolicLink());
  t.true(existsSync(file));
  t.is(readFileSync(join(precious, "file"), "utf8"), "keep me");
});

test.serial("a process's last session removes what killed ones left, and nothing of other processes", async (t) => {
  const startTime = startTimeOf(process.pid);
  const mine = [
    await makeFolder(scratch, process.pid, startTime, null),
    await makeFolder(scratch, process.pid, startTime, null),
  ];
  const parents = await makeFolder(scratch, process.ppid, startTimeOf(process.ppid), null);
  writeFileSync(join(mine[0] ?? "", "libgame.g1.so"), "copy");
  removeFoldersOf([scratch], process.pid, startTime);
  t.deepEqual(mine.map(existsSync), [false, false]);
  t.true(removeFolder(parents));
});

test.serial("a copy counts as seen only with the very bytes that were written", async (t) => {
  const folder = await makeFolder(scratch, process.pid, 1, null);
  const path = join(folder, "libgame.g1.so");
  const bytes = Buffer.alloc(3_000_000, 7);
  const seen = () => isSeenBy(process.pid, path, bytes);
  t.false(seen(), "nothing there");
  writeFileSync(path, bytes);
  t.true(seen());
  for (const at of [0, 1 << 20, bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed[at] = 8;
    writeFileSync(path, changed);
    t.false(seen(), `byte ${at}`);
  }
  writeFileSync(path, bytes.subarray(1));
  t.false(seen(), "shorter");
  writeFileSync(join(folder, "elsewhere"), bytes);
  rmSync(path);
  symlinkSync(join(folder, "elsewhere"), path);
  t.false(seen(), "a link");
  rmSync(path);
  execFileSync("mkfifo", [path]);
  t.false(seen(), "a pipe, which nobody waits for");
  const { pid } = await deadProcess();
  t.true(isSeenBy(pid, path, bytes), "an ended target is told as such, elsewhere");
  t.true(removeFolder(folder));
});
