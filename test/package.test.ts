/** What `npm pack` would publish: all that an installed hotpatch needs, and nothing else. */
import { execFileSync } from "node:child_process";
import test from "ava";
import { ROOT } from "./support/workshop.js";

test("the package holds the program, its python, the header and the crates, and no leftovers", (t) => {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [packed] = JSON.parse(output) as { files: { path: string }[] }[];
  const files = new Set(packed?.files.map(({ path }) => path));
  for (const needed of [
    "dist/agent.js",
    "dist/cli/main.js",
    "dist/cli/frida/bridge.py",
    "dist/cli/frida/callers.py",
    "dist/cli/frida/carrier.py",
    "dist/cli/frida/carrier_code.py",
    "dist/cli/frida/first_stop.py",
    "dist/cli/frida/footprint.py",
    "dist/cli/frida/grounds.py",
    "dist/cli/frida/reads.py",
    "dist/cli/frida/image.py",
    "dist/cli/frida/imports.py",
    "dist/cli/frida/inner_names.py",
    "dist/cli/frida/older_kernel.py",
    "dist/cli/frida/ptrace.py",
    "dist/cli/frida/spawned.py",
    "dist/cli/frida/stacks.py",
    "dist/cli/frida/stranded.py",
    "dist/cli/frida/way_home.py",
    "dist/cli/preflight/seccomp/seccomp.py",
    "dist/schemas/event.js",
    "docs/cli.md",
    "mark/include/hotpatch.h",
    "mark/rust/hotpatch-mark/Cargo.toml",
    "mark/rust/hotpatch-mark/src/lib.rs",
    "mark/rust/hotpatch-mark-macros/src/lib.rs",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "requirements.txt",
  ])
    t.true(files.has(needed), `${needed} is missing`);
  const strays = [...files].filter((path) =>
    /__pycache__|\.pyc$|\.d\.ts$|\.map$|\.tsbuildinfo$|^dist\/(test|bench)\//.test(path),
  );
  t.deepEqual(strays, []);
});
