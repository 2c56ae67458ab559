/** `$ORIGIN` in a copy: it lies in another folder than its library, and its loader still finds what lies beside that. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { validateLibrary } from "../../../cli/binary/elf.js";
import { expandOrigin, settleOrigin } from "../../../cli/binary/run-path.js";
import { build, has, run, workFolder } from "./fixtures.js";

test("both spellings are expanded for every folder, in order, and nothing else is", (t) => {
  t.is(expandOrigin(`/a:$ORIGIN/x:\${ORIGIN}`, ["/one", "/two"]), "/a:/one/x:/two/x:/one:/two");
  t.is(expandOrigin("$ORIGINAL:$LIB/x", ["/one"]), "$ORIGINAL:$LIB/x");
  t.is(expandOrigin("$ORIGIN", ["/with:colon"]), null);
});

for (const linker of ["bfd", "gold", "lld", "mold"])
  (has(`ld.${linker}`) || has(linker) ? test : test.skip)(
    `a copy loads what lies beside its library, linked by ${linker}, and is a whole library`,
    async (t) => {
      const folder = await workFolder(t);
      await build(folder, "libhelper.so", "int helper(void) { return 7; }");
      const source = "int helper(void); char zeros[70000]; int value(void) { return helper() + zeros[9]; }";
      const compiler = linker === "lld" && has("clang") ? ["clang"] : [];
      const flags = [`-fuse-ld=${linker}`, `-L${folder}`, "-lhelper", "-Wl,-rpath,$ORIGIN", "-Wl,--build-id"];
      const bytes = readFileSync(await build(folder, "libuser.so", source, flags, ...compiler));
      const copy = settleOrigin(bytes, validateLibrary(bytes), [folder]);
      t.true(copy.length > bytes.length);
      const elf = validateLibrary(copy);
      t.deepEqual(
        [elf.soname, ...elf.needed].filter((name) => /helper/.test(name ?? "")),
        ["libhelper.so"],
      );
      mkdirSync(join(folder, "elsewhere"));
      const path = join(folder, "elsewhere", "libuser.g1.so");
      writeFileSync(path, copy);
      const load = `import ctypes; print(ctypes.CDLL("${path}").value())`;
      t.is(run("python3", ["-c", load]).trim(), "7");
      t.is(settleOrigin(copy, elf, [folder]), copy, "nothing is left to expand");
    },
  );
