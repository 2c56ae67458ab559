/** Demangles names with the system's c++filt; without one, names stay as they are. */
import { spawnSync } from "node:child_process";

/** ms for all names of a library: c++filt takes about 2 us per name. */
const LIMIT_MS = 5000;
/** Bytes: tens of thousands of C++ names, some of a kilobyte. */
const LONGEST = 256 * 1024 * 1024;
/** Rust's legacy mangling ends in a hash of the crate, which is noise to a reader. */
const RUST_HASH = /::h[0-9a-f]{16}$/;

/**
 * In the order of `names`, which may be texts with names in them. Never fails.
 * @param options c++filt's: -p leaves out parameters and result
 */
export function demangle(names: readonly string[], options: readonly string[] = []): string[] {
  if (!names.some((name) => /(?:^| )_[ZR]/.test(name))) return [...names];
  const found = spawnSync("c++filt", options, {
    input: names.join("\n"),
    encoding: "utf8",
    timeout: LIMIT_MS,
    maxBuffer: LONGEST,
  });
  const lines = found.status === 0 ? found.stdout.trimEnd().split("\n") : [];
  return lines.length === names.length ? lines.map((line) => line.replace(RUST_HASH, "")) : [...names];
}
