/** When an artifact counts as complete. Real files, written as linkers and copiers write them. */
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { settle } from "../../../cli/steps/settle.js";

const file = (t: ExecutionContext, bytes: string): string => {
  const folder = mkdtempSync(join(tmpdir(), "hotpatch-settle-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "lib.so");
  writeFileSync(path, bytes);
  return path;
};

test("a file that rests is read whole", async (t) => {
  const settled = await settle(file(t, "whole"), 10);
  t.is(settled.kind === "settled" && settled.bytes.toString(), "whole");
});

test("a file that grows in pieces is read after the last one", async (t) => {
  const path = file(t, "a");
  const writing = (async () => {
    for (let i = 0; i < 5; i++) {
      await wait(20);
      appendFileSync(path, "a");
    }
  })();
  const settled = await settle(path, 100);
  await writing;
  t.is(settled.kind === "settled" && settled.bytes.toString(), "aaaaaa");
});

test("a newer change ends the waiting", async (t) => {
  const newer = new AbortController();
  const settling = settle(file(t, "old"), 5000, newer.signal);
  newer.abort();
  t.is((await settling).kind, "incomplete");
});

test("a file that is gone, and a folder in its place, are missing; an empty file is a state like any other", async (t) => {
  const path = file(t, "x");
  t.is((await settle(`${path}.not`, 0)).kind, "missing");
  t.is((await settle(join(path, ".."), 0)).kind, "missing");
  truncateSync(path);
  t.is((await settle(path, 0)).kind, "settled");
});

test("a file that cannot be read, or is too large to be, is unfit, with the reason", async (t) => {
  const path = file(t, "x");
  truncateSync(path, 20 * 2 ** 30);
  const large = await settle(path, 0);
  t.is(large.kind, "unfit");
  t.regex("reason" in large ? large.reason : "", /^it has 21474836480 bytes.*sparse.*up to 2147483647$/);
  const unreadable = await settle("/proc/self/mem", 0); // nothing is mapped at its beginning
  t.is(unreadable.kind, "unfit");
  t.regex("reason" in unreadable ? unreadable.reason : "", /cannot be read: EIO/);
});
