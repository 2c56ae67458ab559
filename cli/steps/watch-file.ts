/** Step: notice that an artifact was written. Settling and reading it are others' work. */
import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import { identityAt } from "../system/file-identity.js";
import { every, type Watcher, type WatchOptions, watchFolder } from "./watch-folder.js";

/** ms between looks at a file that nothing was told of: the system's queue of changes may have run over. */
const SAFETY_MS = 1000;

/** Calls `onChange` after every change of the file at `path`, also when its folder is deleted and made anew. */
export function watchFile(path: string, onChange: () => void, options: WatchOptions): Watcher {
  let identity = identityAt(path);
  const look = () => {
    const now = identityAt(path);
    if (now === identity) return;
    identity = now;
    if (now !== "") onChange();
  };
  if (options.pollMs !== null) return every(options.pollMs, look);
  // Behind a symbolic link the file changes in a folder of its own, and the link may be led elsewhere.
  let behind: { readonly folder: string; readonly watcher: Watcher } | null = null;
  const lookBehind = () => {
    const folder = dirname(realPath(path) ?? path);
    if (folder === behind?.folder) return;
    behind?.watcher.close();
    behind = folder === dirname(path) ? null : { folder, watcher: watchFolder(folder, look) };
  };
  const watcher = watchFolder(dirname(path), (name) => {
    // The links between a link and its file have names of their own.
    if (name !== null && name !== basename(path) && !isLink(path)) return;
    lookBehind();
    look();
  });
  const net = every(SAFETY_MS, look);
  return {
    close() {
      watcher.close();
      behind?.watcher.close();
      net.close();
    },
  };
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null; // not there (yet)
  }
}
