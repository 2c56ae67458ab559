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
    "dist/cli/target/bridge.py",
    "dist/cli/target/callers.py",
    "dist/cli/target/carrier.py",
    "dist/cli/target/carrier_code.py",
    "dist/cli/target/first_stop.py",
    "dist/cli/target/footprint.py",
    "dist/cli/target/grounds.py",
    "dist/cli/target/reads.py",
    "dist/cli/target/image.py",
    "dist/cli/target/imports.py",
    "dist/cli/target/inner_names.py",
    "dist/cli/target/older_kernel.py",
    "dist/cli/target/ptrace.py",
    "dist/cli/target/spawned.py",
    "dist/cli/target/stacks.py",
    "dist/cli/target/stranded.py",
    "dist/cli/target/way_home.py",
    "dist/cli/preflight/seccomp.py",
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
