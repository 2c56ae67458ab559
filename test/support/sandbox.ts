/**
 * Sandboxed hosts and tools: another user, another mount namespace, another root folder, made with Linux's own tools.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import test, { type Declare } from "./test.js";
import type { Workshop } from "./workshop.js";

const isRoot = process.getuid?.() === 0;

/** Walls are built by root alone; elsewhere the test is shown as skipped. */
export const asRoot: Declare = isRoot ? test : test.skip;

export const NOBODY = 65534;

/**
 * Runs the following command as the user nobody. It may read every file, because the clone may lie in a folder of
 * root's; that capability does not affect what may be traced.
 */
export const AS_NOBODY = [
  "setpriv",
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  "--clear-groups",
  "--inh-caps=-all,+dac_read_search",
  "--ambient-caps=-all,+dac_read_search",
];

/** A host run by nobody has no capability at all. */
export const HOST_OF_NOBODY = [
  "setpriv",
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  "--clear-groups",
  "--inh-caps=-all",
];

/**
 * Gives the user nobody access to the workshop. `tool`: nobody also runs hotpatch, so the temporary folder becomes its
 * own.
 */
export function openTo(shop: Workshop, tool: "root's tool" | "nobody's tool"): void {
  chmodSync(shop.folder, 0o755);
  if (tool === "nobody's tool") chownSync(shop.temp, NOBODY, NOBODY);
}

/** Runs `script` and then the following command in a separate mount namespace, with which its mounts disappear. */
export const withMounts = (script: string): string[] => [
  "unshare",
  "--mount",
  "sh",
  "-c",
  `set -e; ${script}; exec "$@"`,
  "sh",
];

const NO_WATCHES = [
  "unshare",
  "--user",
  "--map-root-user",
  "sh",
  "-c",
  'echo 0 > /proc/sys/user/max_inotify_watches; exec "$@"',
  "sh",
];

/** Runs the following command in a user namespace without inotify watches; null if there are no user namespaces. */
export const withoutWatches =
  spawnSync(NO_WATCHES[0] ?? "", [...NO_WATCHES.slice(1), "true"]).status === 0 ? NO_WATCHES : null;

/** A root folder with a program, its libraries and its loader. `folders`: additional ones, by absolute path. */
export function makeRoot(shop: Workshop, program: string, library: string, folders: readonly string[]): string {
  const root = shop.path("root");
  const place = (path: string, at: string) => {
    mkdirSync(dirname(join(root, at)), { recursive: true });
    copyFileSync(path, join(root, at));
  };
  place(program, "/app/host");
  place(library, "/app/libgame.so");
  const needed = execFileSync("ldd", [program], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
  for (const path of needed) place(path, path);
  // What Frida's agent is linked against.
  const libc = needed.find((path) => path.includes("libc.so")) ?? "";
  for (const name of ["libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1"])
    place(join(dirname(libc), name), join(dirname(libc), name));
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  return root;
}
