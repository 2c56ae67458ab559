/** The crates of mark/rust by cargo's own tests, lints and format. Their target folder stays, git-ignored: it is slow to make. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { cargo, cargoTest, RUST } from "../support/cargo.js";

const TARGET = { CARGO_TARGET_DIR: join(RUST, "target") };

for (const target of ["rules", "marks", "layout", "state", "doc"])
  cargoTest(`the tests of hotpatch-mark pass: ${target}`, async (t) => {
    const which = target === "doc" ? ["--doc"] : ["--test", target];
    const said = await cargo(RUST, ["test", "--quiet", "-p", "hotpatch-mark", ...which], TARGET);
    const [, passed] = /test result: ok\. (\d+) passed; 0 failed/.exec(said) ?? [];
    t.true(Number(passed) > 0, said);
  });

const CHECKS = [
  {
    title: "clippy finds nothing, also nothing that is newer than rust-version",
    component: "clippy",
    args: ["clippy", "--quiet", "--all-targets", "--", "-D", "warnings"],
  },
  { title: "the sources are formatted", component: "fmt", args: ["fmt", "--check"] },
] as const;

for (const { title, component, args } of CHECKS)
  cargoTest(title, async (t) => {
    if (spawnSync("cargo", [component, "--version"]).status !== 0)
      t.log(`this toolchain has no ${component}: not looked at`);
    else await cargo(RUST, args, TARGET);
    t.pass();
  });
