/**
 * Programs and libraries that many tests have in common are compiled once: by what goes in, kept in dist/ beside the tests.
 * A test gets a copy, a file of its own.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";

/** ms after which a file that no run has used is removed. */
const UNUSED_MS = 24 * 60 * 60 * 1000;

/** Whether nothing but the source itself and installed headers goes into it. */
const standsAlone = (source: string): boolean =>
  [...source.matchAll(/^\s*#\s*include\s*"([^"]*)"/gm)].every(([, name]) => name === "hotpatch.h") &&
  !/\.incbin|#embed/.test(source);

export class Compiled {
  readonly #folder: string;
  /** What goes into every file besides its own source. */
  readonly #common: string;

  /** @param headers folder of hotpatch.h */
  constructor(folder: string, headers: string) {
    this.#folder = folder;
    this.#common = readFileSync(join(headers, "hotpatch.h"), "utf8");
    mkdirSync(folder, { recursive: true });
    this.#forget();
  }

  /**
   * Puts a file at `path`, as `compile` makes it there. Made anew where more goes into it than these arguments.
   * @param args all that the compiler is told but paths; one that names `inside` is not kept
   * @param inside folder of the test: what is told of it is in the debug information
   */
  async make(
    path: string,
    source: string,
    args: readonly string[],
    inside: string,
    compile: () => Promise<void>,
  ): Promise<void> {
    if (!standsAlone(source) || args.some((one) => one.includes(inside))) return compile();
    const key = createHash("sha256")
      .update(JSON.stringify([args, source, this.#common]))
      .digest("hex");
    const kept = join(this.#folder, key);
    if (existsSync(kept)) {
      utimesSync(kept, new Date(), new Date());
      return copyFileSync(kept, path, constants.COPYFILE_FICLONE);
    }
    await compile();
    const fresh = `${kept}.${randomBytes(4).toString("hex")}`;
    copyFileSync(path, fresh, constants.COPYFILE_FICLONE);
    renameSync(fresh, kept);
  }

  #forget(): void {
    for (const name of readdirSync(this.#folder)) {
      const path = join(this.#folder, name);
      const used = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
      if (used !== undefined && Date.now() - used > UNUSED_MS) rmSync(path, { force: true });
    }
  }
}
