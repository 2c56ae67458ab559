/**
 * Watches folders, never files: a watcher on a file goes deaf when the file is replaced. Says only that something changed.
 */
import { existsSync, type FSWatcher, statSync, watch } from "node:fs";

export interface Watcher {
  close(): void;
}

export interface WatchOptions {
  /** ms between looks; null: the system tells. */
  readonly pollMs: number | null;
}

/** ms between tries to watch a folder that is not there and whose parent gives no sign. */
const REARM_MS = 200;
/** ms between looks at a folder that is there but cannot be watched: the user's inotify limits are used up. */
const UNWATCHED_MS = 1000;

/** Looks every so many ms. */
export function every(ms: number, look: () => void): Watcher {
  const timer = setInterval(look, ms);
  return { close: () => clearInterval(timer) };
}

/** Watches one folder; when it is gone, waits for it to come back. `onEvent(null)`: look at everything. */
export function watchFolder(folder: string, onEvent: (name: string | null) => void): Watcher & { watched(): boolean } {
  let watcher: FSWatcher | null = null;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  let inode = "";
  const arm = () => {
    timer = null;
    if (closed) return;
    try {
      watcher = watch(folder);
      inode = String(statSync(folder, { bigint: true }).ino);
    } catch {
      watcher?.close();
      watcher = null;
      // Not there (yet): its maker will be followed by a look below. Or there, and no watch to be had for it.
      const there = existsSync(folder);
      if (there) onEvent(null);
      timer = setTimeout(arm, there ? UNWATCHED_MS : REARM_MS);
      return;
    }
    watcher.on("change", (_, name) => {
      onEvent(name === null ? null : name.toString());
      check();
    });
    watcher.on("error", rearm);
    onEvent(null); // nothing is lost between the two watches
  };
  const rearm = () => {
    watcher?.close();
    watcher = null;
    if (!closed && timer === null) timer = setTimeout(arm, REARM_MS);
  };
  // A deleted folder's watch stays silent for ever: its inode tells.
  const check = () => {
    let now = "";
    try {
      now = String(statSync(folder, { bigint: true }).ino);
    } catch {
      // gone
    }
    if (now !== inode) rearm();
  };
  const guard = setInterval(check, REARM_MS);
  arm();
  return {
    watched: () => watcher !== null,
    close() {
      closed = true;
      clearInterval(guard);
      if (timer !== null) clearTimeout(timer);
      watcher?.close();
    },
  };
}
