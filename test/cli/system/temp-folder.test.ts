/** The temporary folder: taken only when nobody else can exchange what is in it. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { HotpatchError } from "../../../cli/errors.js";
import { settleTemp } from "../../../cli/system/temp-folder.js";

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "hotpatch-test-")));
test.after.always(() => rmSync(scratch, { recursive: true, force: true }));

/** A folder of this mode, whatever the umask is. */
function folder(name: string, mode: number): string {
  const path = join(scratch, name);
  mkdirSync(path);
  chmodSync(path, mode);
  return path;
}

/** The path that is meant afterwards, or the reason of the refusal. */
function settled(asked: string): string {
  process.env.TMPDIR = asked;
  try {
    settleTemp();
    return tmpdir();
  } catch (error) {
    if (!(error instanceof HotpatchError)) throw error;
    const { code, message, detail } = error.report;
    return `${code}: ${message.includes(asked) ? detail : message}`;
  }
}

test.serial("a folder of one's own and one with the sticky bit are taken", (t) => {
  for (const [name, mode] of [
    ["private", 0o700],
    ["readable", 0o755],
    ["sticky", 0o1777],
  ] as const) {
    const path = folder(name, mode);
    t.is(settled(path), path);
  }
});

test.serial("a folder that everybody may write to is refused, also one above", (t) => {
  const open = folder("open", 0o777);
  t.regex(settled(open), /^unsafe-folder: everybody may write to .*open, and it has no sticky bit/);
  const inside = folder("open/inside", 0o700);
  t.regex(settled(inside), /^unsafe-folder: everybody may write to .*open, and/);
});

test.serial("a link is followed once: from then on its end is meant", (t) => {
  const path = folder("end", 0o700);
  const link = join(scratch, "link");
  symlinkSync(path, link);
  t.is(settled(link), path);
  const open = folder("open-end", 0o777);
  symlinkSync(open, join(scratch, "bad-link"));
  t.regex(settled(join(scratch, "bad-link")), /^unsafe-folder: everybody/);
});

test.serial("what is not there, and a file, are refused", (t) => {
  t.regex(settled(join(scratch, "absent")), /^unsafe-folder: ENOENT/);
  writeFileSync(join(scratch, "file"), "");
  t.regex(settled(join(scratch, "file")), /^unsafe-folder: .*is not a folder/);
});

const root = process.getuid?.() === 0;
(root ? test.serial : test.serial.skip)("another user's folder, and one of a shared group, are refused", (t) => {
  const theirs = folder("theirs", 0o700);
  chownSync(theirs, 65534, 65534);
  t.regex(settled(theirs), /^unsafe-folder: .*belongs to user 65534/);
  const sudo = process.env.SUDO_UID;
  process.env.SUDO_UID = "65534";
  t.is(settled(theirs), theirs, "unless that user asked for it by sudo");
  if (sudo === undefined) delete process.env.SUDO_UID;
  else process.env.SUDO_UID = sudo;
  const shared = folder("shared", 0o770);
  chownSync(shared, 0, 100);
  t.regex(settled(shared), /^unsafe-folder: group 100 may write/);
});
