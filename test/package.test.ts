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
    "dist/cli/frida/bridge/binding.py",
    "dist/cli/frida/bridge/borrowed.py",
    "dist/cli/frida/bridge/bridge.py",
    "dist/cli/frida/bridge/callers.py",
    "dist/cli/frida/bridge/carrier.py",
    "dist/cli/frida/bridge/carrier_code.py",
    "dist/cli/frida/bridge/ending.py",
    "dist/cli/frida/bridge/first_stop.py",
    "dist/cli/frida/bridge/footprint.py",
    "dist/cli/frida/bridge/grounds.py",
    "dist/cli/frida/bridge/image.py",
    "dist/cli/frida/bridge/imports.py",
    "dist/cli/frida/bridge/inner_names.py",
    "dist/cli/frida/bridge/line.py",
    "dist/cli/frida/bridge/older_kernel.py",
    "dist/cli/frida/bridge/operations.py",
    "dist/cli/frida/bridge/ptrace.py",
    "dist/cli/frida/bridge/reads.py",
    "dist/cli/frida/bridge/spawned.py",
    "dist/cli/frida/bridge/stacks.py",
    "dist/cli/frida/bridge/stranded.py",
    "dist/cli/frida/bridge/target.py",
    "dist/cli/frida/bridge/temp_folder.py",
    "dist/cli/frida/bridge/terminal.py",
    "dist/cli/frida/bridge/wait_status.py",
    "dist/cli/frida/bridge/way_home.py",
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
