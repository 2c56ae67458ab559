import test from "ava";
import { NO_FILE, parseMaps } from "../../agent/os/linux/mappings.js";

const one = (line: string) => parseMaps(`${line}\n`)[0];

test("a mapping of a file", (t) => {
  t.deepEqual(one("7f0d5c000000-7f0d5c021000 r-xp 00002000 fe:01 1234567                    /usr/lib/libgame.so"), {
    start: 0x7f0d5c000000,
    size: 0x21000,
    protection: 1 | 4,
    shared: false,
    offset: 0x2000,
    file: "fe:01 1234567",
    path: "/usr/lib/libgame.so",
  });
});

test("a mapping without a file", (t) => {
  const found = one("7ffd1c000000-7ffd1c021000 rw-p 00000000 00:00 0 ");
  t.is(found?.file, NO_FILE);
  t.is(found?.path, "");
  t.is(found?.protection, 3);
});

test("a shared mapping", (t) => {
  t.true(one("7f0d5c000000-7f0d5c001000 ---s 00000000 00:01 77 /dev/zero")?.shared);
});

test("original paths: of a replaced file, with a space, with a newline", (t) => {
  const path = (text: string) => one(`7f0d5c000000-7f0d5c001000 r--p 00000000 fe:01 5 ${text}`)?.path;
  t.is(path("/tmp/a b/libgame.so"), "/tmp/a b/libgame.so");
  t.is(path("/tmp/libgame.so (deleted)"), "/tmp/libgame.so");
  t.is(path("/memfd:hotpatch-registry (deleted)"), "/memfd:hotpatch-registry");
  t.is(path("/tmp/two\\012lines.so"), "/tmp/two\nlines.so");
});

test("the very last page keeps its address", (t) => {
  const found = one("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]");
  t.is(found?.start.toString(16), "ffffffffff600000");
  t.is(found?.size, 4096);
});

test("lines that are not mappings are skipped", (t) => {
  t.deepEqual(parseMaps("\nRss: 12 kB\n"), []);
});
