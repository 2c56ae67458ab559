/** How pairs are built, and the cache of what was built: a library is compiled once for a compiler, command and source. */
import { type ExecFileException, execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/workshop.js";
import { claimed } from "./claim.js";
import type { Language, Pair, Source } from "./pairs/pair.js";

/** One way to build both sides of a pair. */
export interface Build {
  readonly name: string;
  readonly old: Compiler;
  readonly new: Compiler;
}

/** A compiler with its flags. */
interface Compiler {
  readonly family: "gcc" | "clang" | "rustc";
  readonly flags: readonly string[];
}

const INCLUDE = join(ROOT, "mark/include");
const RUST = join(ROOT, "mark/rust");
/** For one library, on a machine with other work. */
const COMPILE_MS = 120_000;

const both = (name: string, family: Compiler["family"], flags: string): Build => {
  const compiler = { family, flags: flags.split(" ").filter((flag) => flag !== "") };
  return { name, old: compiler, new: compiler };
};
const crossed = (name: string, before: Build, after: Build): Build => ({ name, old: before.old, new: after.old });

const GCC0 = both("gcc -O0", "gcc", "-g -gdwarf-5 -O0");
const GCC2 = both("gcc -O2", "gcc", "-g -gdwarf-5 -O2");
const CLANG0 = both("clang -O0", "clang", "-g -gdwarf-5 -O0");
const CLANG2 = both("clang -O2", "clang", "-g -gdwarf-5 -O2");

/** clang 14 takes C++14 unasked. */
const STANDARD = ["-std=gnu++17"];
const NATIVE_FLAGS = ["-w", "-fPIC", "-shared", `-I${INCLUDE}`];
/** Of C and C++. */
const NATIVE: readonly Build[] = [
  GCC0,
  GCC2,
  CLANG0,
  CLANG2,
  both("gcc -gdwarf-4", "gcc", "-g -gdwarf-4 -O1"),
  both("clang -gdwarf-4", "clang", "-g -gdwarf-4 -O1"),
  both("gcc split", "gcc", "-g -gsplit-dwarf -O1"),
  both("clang split", "clang", "-g -gsplit-dwarf -O1"),
  both("gcc type units", "gcc", "-g -gdwarf-5 -fdebug-types-section -O1"),
  both("clang type units", "clang", "-g -gdwarf-5 -fdebug-types-section -O1"),
  // gcc's plug-in works with the linker that gcc takes unasked; lld would take its files for empty ones.
  both("gcc lto", "gcc", "-g -gdwarf-5 -O2 -flto"),
  both("clang lto", "clang", "-g -gdwarf-5 -O2 -flto -fuse-ld=lld"),
  crossed("gcc -O2 to clang -O2", GCC2, CLANG2),
  crossed("clang -O0 to -O2", CLANG0, CLANG2),
];

/** std is linked dynamically: its own debug information is 4 MB for each library, and not what is judged. */
const SHARED_STD = "-C prefer-dynamic";
const RUST_BUILDS: readonly Build[] = [
  both("rustc debug", "rustc", `${SHARED_STD} -C debuginfo=2`),
  both("rustc release with debug", "rustc", `${SHARED_STD} -C debuginfo=2 -C opt-level=2`),
  both("rustc release", "rustc", `${SHARED_STD} -C opt-level=3`),
  both("rustc one unit", "rustc", `${SHARED_STD} -C debuginfo=2 -C opt-level=3 -C codegen-units=1`),
  both("rustc split", "rustc", `${SHARED_STD} -C debuginfo=2 -C split-debuginfo=unpacked`),
];

/** All builds of a language. */
export const buildsOf = (language: Language): readonly Build[] => (language === "Rust" ? RUST_BUILDS : NATIVE);

/** Whether a pair can be built so. */
export const suits = (pair: Pair, build: Build): boolean =>
  pair.compiler === undefined || [build.old, build.new].every(({ family }) => family === pair.compiler);

/** A pair was not compiled: what the compiler says. */
export class BuildError extends Error {}

/** Builds libraries, each in a folder of its own in the cache. */
export class Builder {
  readonly #cache: string;
  readonly #versions = new Map<string, string>();
  readonly #running = new Map<string, Promise<string>>();
  #mark: { readonly rlib: string; readonly dependencies: string } | null = null;

  /** @param cache may be shared with other processes */
  constructor(cache: string) {
    this.#cache = cache;
    mkdirSync(cache, { recursive: true });
  }

  /** Paths of the old and the new library. @throws BuildError */
  async pair(pair: Pair, build: Build): Promise<readonly [string, string]> {
    const before = await this.#library(pair, pair.old, build.old);
    return [before, await this.#library(pair, pair.new, build.new)];
  }

  async #library({ language, flags: more = [] }: Pair, source: Source, compiler: Compiler): Promise<string> {
    const [program, extension] = programOf(language, compiler);
    const flags = [...compiler.flags, ...(language === "C++" ? STANDARD : []), ...more];
    // clang and clang++ have one version, and take one source for two languages.
    const key = JSON.stringify([program, this.#versionOf(program), flags, source, this.#markHash(language)]);
    const folder = join(this.#cache, createHash("sha256").update(key).digest("hex").slice(0, 24));
    let running = this.#running.get(folder);
    if (running === undefined) {
      running = this.#compile(folder, source, extension, program, { ...compiler, flags }).finally(() =>
        this.#running.delete(folder),
      );
      this.#running.set(folder, running);
    }
    return running;
  }

  async #compile(
    folder: string,
    source: Source,
    extension: string,
    program: string,
    { family, flags }: Compiler,
  ): Promise<string> {
    // Written last: a folder without it was interrupted.
    const verdict = join(folder, "verdict");
    await claimed(
      folder,
      () => existsSync(verdict),
      async () => {
        rmSync(folder, { recursive: true, force: true });
        mkdirSync(folder, { recursive: true });
        const units = source.map((text, i) => {
          const unit = `unit${i}.${extension}`;
          writeFileSync(join(folder, unit), text);
          return unit;
        });
        const args = family === "rustc" ? this.#rustArgs(flags) : [...flags, ...NATIVE_FLAGS];
        writeFileSync(`${verdict}.new`, await run(program, [...args, "-o", "lib.so", ...units], folder));
        renameSync(`${verdict}.new`, verdict);
      },
    );
    const words = readFileSync(verdict, "utf8");
    if (words !== "") throw new BuildError(words);
    return join(folder, "lib.so");
  }

  #rustArgs(flags: readonly string[]): string[] {
    const { rlib, dependencies } = this.#markCrate();
    const crate = ["--edition", "2024", "--crate-name", "lib", "--crate-type", "cdylib"];
    return [...crate, ...flags, "--extern", `hotpatch_mark=${rlib}`, "-L", `dependency=${dependencies}`];
  }

  /** The crate of the marks, built by cargo once. */
  #markCrate(): { readonly rlib: string; readonly dependencies: string } {
    if (this.#mark !== null) return this.#mark;
    const target = join(this.#cache, `mark-${this.#markHash("Rust").slice(0, 12)}`);
    const debug = join(target, "debug");
    const rlib = join(debug, "libhotpatch_mark.rlib");
    if (!existsSync(rlib)) {
      const args = ["build", "--quiet", "--manifest-path", join(RUST, "Cargo.toml"), "-p", "hotpatch-mark"];
      execFileSync("cargo", [...args, "--target-dir", target], { stdio: ["ignore", "ignore", "inherit"] });
    }
    this.#mark = { rlib, dependencies: join(debug, "deps") };
    return this.#mark;
  }

  #versionOf(program: string): string {
    const known = this.#versions.get(program);
    if (known !== undefined) return known;
    const version = execFileSync(program, ["--version"], { encoding: "utf8" }).split("\n")[0] ?? "";
    this.#versions.set(program, version);
    return version;
  }

  /** The marks are part of what is compiled. */
  #markHash(language: Language): string {
    const name = language === "Rust" ? "mark of Rust" : "mark of C";
    const known = this.#versions.get(name);
    if (known !== undefined) return known;
    const files = language === "Rust" ? rustFiles() : [join(INCLUDE, "hotpatch.h")];
    const hash = createHash("sha256");
    for (const file of files) hash.update(readFileSync(file));
    const digest = hash.digest("hex");
    this.#versions.set(name, digest);
    return digest;
  }
}

const rustFiles = (): string[] =>
  ["hotpatch-mark/src", "hotpatch-mark-macros/src"].flatMap((folder) =>
    readdirSync(join(RUST, folder))
      .filter((name) => name.endsWith(".rs"))
      .sort()
      .map((name) => join(RUST, folder, name)),
  );

function programOf(language: Language, { family }: Compiler): readonly [program: string, extension: string] {
  if (family === "rustc") return ["rustc", "rs"];
  if (language === "C") return [family, "c"];
  return [family === "gcc" ? "g++" : "clang++", "cpp"];
}

/** What the compiler says if it fails; else nothing. A compiler that is missing or killed says nothing of the pair. */
function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd, timeout: COMPILE_MS, maxBuffer: 2 ** 26 }, (error, _, stderr) => {
      if (error === null) resolve("");
      else if (hasSpoken(error)) resolve(stderr === "" ? error.message : stderr);
      else reject(error);
    });
  });
}

const hasSpoken = ({ code, killed }: ExecFileException): boolean => typeof code === "number" && killed !== true;
