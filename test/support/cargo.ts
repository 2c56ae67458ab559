/** Rust libraries for tests, built by cargo itself. One target folder per test file, removed with it. */
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { ROOT, type Workshop } from "./workshop.js";

const run = promisify(execFile);

export const RUST = join(ROOT, "mark/rust");
const MARK = join(RUST, "hotpatch-mark");
const HAS_CARGO = spawnSync("cargo", ["--version"]).status === 0;
/** For all builds of a test, on a machine with other work. */
const BUILD_MS = 180_000;

/**
 * How a crate is built. Variants of the dev profile (CARGO_PROFILE_DEV_*) are the cheapest: they all share one build of
 * the macros.
 */
export interface Build {
  readonly what: string;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** For linking the library only. */
  readonly linkArg?: string;
}

/** Like a release build, at the price of a dev build. */
export const OPTIMISED: Build = {
  what: "optimised",
  env: { CARGO_PROFILE_DEV_OPT_LEVEL: "3", CARGO_PROFILE_DEV_DEBUG: "0" },
};

/**
 * A test that needs cargo: skipped with a message if there is none, but never in CI. One after another, because each
 * keeps the machine busy.
 */
export function cargoTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (HAS_CARGO || process.env.CI !== undefined)
    test.serial(title, async (t) => {
      t.timeout(BUILD_MS);
      await body(t);
    });
  else test.skip(`${title} (cargo is missing)`, body);
}

let target: string | null = null;
let fetched: Promise<void> | null = null;

test.after.always("cargo's target folder goes", () => {
  if (target !== null) rmSync(target, { recursive: true, force: true });
});

/** Where this file's crates are built. */
export function targetFolder(): string {
  target ??= mkdtempSync(join(tmpdir(), "hotpatch-cargo-"));
  return target;
}

/** Runs cargo; rejects with its output if it fails. */
export async function cargo(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const all = { ...process.env, CARGO_TARGET_DIR: targetFolder(), CARGO_TERM_COLOR: "never", ...env };
  const { stdout, stderr } = await run("cargo", args, { cwd, env: all, timeout: BUILD_MS, maxBuffer: 2 ** 26 });
  return stdout + stderr;
}

/** Dependencies are fetched from the registry once; everything after that is offline. */
export const fetch = (cwd: string): Promise<void> => {
  fetched ??= cargo(cwd, ["fetch", "--quiet"]).then(() => {});
  return fetched;
};

/** A library crate in a test's workshop. */
export class Crate {
  readonly name: string;
  readonly folder: string;
  readonly #build: Build;

  /** @param dependencies further lines of [dependencies] */
  constructor(shop: Workshop, name: string, build: Build = { what: "dev" }, dependencies = "") {
    this.name = name;
    this.folder = shop.path(name);
    this.#build = build;
    mkdirSync(join(this.folder, "src"), { recursive: true });
    this.write(
      "Cargo.toml",
      `[package]
name = "${name}"
version = "0.1.0"
edition = "2024"
[lib]
crate-type = ["cdylib"]
[dependencies]
hotpatch-mark = { path = ${JSON.stringify(MARK)} }
${dependencies}
[workspace]
`,
    );
    const { linkArg } = build;
    if (linkArg !== undefined)
      this.write("build.rs", `fn main() { println!("cargo::rustc-link-arg-cdylib=${linkArg}"); }`);
  }

  /** Where cargo writes the library. */
  get library(): string {
    return join(targetFolder(), this.#build.args?.includes("--release") ? "release" : "debug", `lib${this.name}.so`);
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.folder, path), text);
  }

  /** Builds this as src/lib.rs; rejects with cargo's output. */
  async build(source: string): Promise<string> {
    this.write("src/lib.rs", source);
    await fetch(this.folder);
    const { args = [], env } = this.#build;
    await cargo(this.folder, ["build", "--quiet", "--offline", ...args], env);
    return this.library;
  }
}
