/** Every kind of host that the campaign knows, built once and started as often as wanted. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, renameSync } from "node:fs";
import { library } from "../support/programs.js";
import type { Workshop } from "../support/workshop.js";
import { C_HOSTS, type CHost, sourceOf } from "./c-hosts.js";
import { RUNTIMES } from "./runtimes.js";

/** Values that the library's builds give. The first is what the host begins with. */
export const VALUES = [1, 2, 3, 4] as const;

export interface Kind {
  readonly name: string;
  readonly refused: string | null;
  readonly cuts: boolean;
  /** Whether it may be started by the tool. */
  readonly spawns: boolean;
  /** Its command line. */
  command(library: string): readonly string[];
  /** Puts the build that gives `value` to `path`, complete. */
  place(value: number, path: string): void;
}

/** Those that this machine can run, and why not the others. */
export async function kindsOn(
  shop: Workshop,
  wanted: (name: string) => boolean,
): Promise<{ kinds: Kind[]; missing: string[] }> {
  const kinds: Kind[] = [];
  const missing: string[] = [];
  for (const [i, host] of C_HOSTS.entries()) {
    if (!wanted(host.name)) continue;
    if (host.root === true && process.getuid?.() !== 0) missing.push(`${host.name}: not root`);
    else kinds.push(await compiled(shop, host, i));
  }
  for (const runtime of RUNTIMES) {
    if (!wanted(runtime.name)) continue;
    if (spawnSync("which", [runtime.needs]).status !== 0) missing.push(`${runtime.name}: no ${runtime.needs}`);
    else {
      const command = await runtime.make(shop);
      const place = await libraries(shop, "plain", []);
      kinds.push({ name: runtime.name, refused: null, cuts: false, spawns: runtime.needs !== "javac", command, place });
    }
  }
  return { kinds, missing };
}

async function compiled(shop: Workshop, host: CHost, i: number): Promise<Kind> {
  const { name, flags = [], compiler = "gcc", through = [], refused = null, cuts = false } = host;
  const source = shop.write(`host${i}.c`, sourceOf(host));
  const program = await shop.compile(`host${i}`, ["-w", ...flags, source, "-ldl", "-lpthread", "-lrt"], compiler);
  const place = await libraries(shop, host.libraryFlags === undefined ? "plain" : `${i}`, host.libraryFlags ?? []);
  const spawns = through.length === 0 && refused === null && !cuts;
  return { name, refused, cuts, spawns, command: (library) => [...through, program, library], place };
}

/** One build for each value, made once. */
async function libraries(shop: Workshop, name: string, flags: readonly string[]): Promise<Kind["place"]> {
  const fileOf = (value: number) => shop.path(`${name}.${value}.so`);
  for (const value of VALUES)
    if (!existsSync(fileOf(value)))
      await shop.library(`${name}.${value}.so`, sourceFor(value, flags), flags, flags.length === 0 ? "gcc" : "g++");
  return (value, path) => {
    copyFileSync(fileOf(value), `${path}.new`);
    renameSync(`${path}.new`, path);
  };
}

const sourceFor = (value: number, flags: readonly string[]): string =>
  flags.length === 0 ? library(value) : library(value).replace("HOTPATCH int", 'extern "C" HOTPATCH int');
