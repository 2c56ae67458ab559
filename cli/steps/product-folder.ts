/** Which folders hold what builds and package managers made: told by what is in them, not by their names. */
import { basename, join } from "node:path";
import { isSourceName } from "./source-kind.js";

/** Files that only such a folder has. Source: https://bford.info/cachedir/; the tools' own manuals. */
const SIGNS = new Set([
  "CACHEDIR.TAG",
  "CMakeCache.txt",
  "cmake_install.cmake",
  ".ninja_log",
  ".ninja_deps",
  "meson-info",
  ".rustc_info.json",
  ".cargo-lock",
  ".package-lock.json",
  ".yarn-integrity",
  ".modules.yaml",
]);

/** Whether a file of this name makes its folder one of products. */
export const isProductSign = (path: string): boolean => SIGNS.has(basename(path));

const OBJECT = /\.(o|obj|lo|rlib|rmeta|gch|pcm)$/;

/**
 * @param folder its path
 * @param contents names in it. Object files beside sources are what `make` leaves in many a source folder
 */
export function holdsProducts(folder: string, contents: readonly string[]): boolean {
  if (basename(folder).startsWith(".")) return true; // settings and caches: what builds read there is tracked
  if (contents.some((name) => SIGNS.has(name))) return true;
  return contents.some((name) => OBJECT.test(name)) && !contents.some((name) => isSourceName(join(folder, name)));
}
