/** Where functions are defined, from binutils' addr2line; empty without it or without debug information. */
import { execFile } from "node:child_process";

/** Function -> "file:line". */
export type Sources = ReadonlyMap<string, string>;

export const NO_SOURCES: Sources = new Map();

/** ms: a library of 10 MB takes a tenth of it. */
const LIMIT_MS = 1000;
const LONGEST = 16 * 1024 * 1024;
/** Bytes from an entry to the body: gcc's line table begins after the entry (measured, gcc 12). */
const ENTRY = 8;

/**
 * Never rejects.
 * @param path a file that does not change meanwhile
 * @param entries function -> address relative to the load base
 */
export function sourcesOf(path: string, entries: ReadonlyMap<string, number>): Promise<Sources> {
  const names = [...entries.keys()];
  if (names.length === 0) return Promise.resolve(NO_SOURCES);
  return new Promise((resolve) => {
    const options = { timeout: LIMIT_MS, maxBuffer: LONGEST };
    const child = execFile("addr2line", ["-a", "-i", "-e", path], options, (error, stdout) => {
      // One block per address: the address, then the chain of inlined locations, the function's own last.
      const blocks = stdout
        .trimEnd()
        .split(/^0x[0-9a-f]+\n/m)
        .slice(1);
      if (error !== null || blocks.length !== names.length) return resolve(NO_SOURCES);
      const known = blocks.map((block) =>
        (block.trimEnd().split("\n").at(-1) ?? "").replace(/ \(discriminator \d+\)$/, ""),
      );
      resolve(
        new Map(names.flatMap((name, i) => (/^\?\?|:[?0]$/.test(known[i] ?? "??") ? [] : [[name, known[i] ?? ""]]))),
      );
    });
    child.stdin?.on("error", () => {}); // it exited before reading everything: no lines, which is handled above
    child.stdin?.end(`${[...entries.values()].map((address) => `0x${(address + ENTRY).toString(16)}`).join("\n")}\n`);
  });
}
