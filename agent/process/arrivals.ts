/** Notices libraries that come and go: the loader tells us where possible, else we poll. */
import { LoaderWatch } from "../os/index.js";
import type { Registry } from "../registry/registry.js";
import type { Log } from "./session.js";

/** Polling interval in ms, where the loader does not tell. */
const LOOK_MS = 250;

export interface Arrivals {
  /**
   * The loader's list may have changed.
   * @param held whether the thread that changed it is held in the loader: if so, no thread uses what is new yet, and none
   *   can close it unheard
   */
  readonly changed: (held: boolean) => void;
  /** The loader is about to unmap libraries; only where it tells us. */
  readonly closing: () => void;
  /** Every few seconds. */
  readonly tick: () => void;
}

/** @returns a function that stops it */
export function hearArrivals(registry: Registry, { changed, closing, tick }: Arrivals, log: Log): () => void {
  const watch = LoaderWatch.start(registry.watched, { changed: () => changed(true), closing, tick });
  if (typeof watch !== "string") {
    registry.watched = watch.watched;
    return () => watch.stop();
  }
  log("debug", `polling for new libraries every ${LOOK_MS} ms: ${watch}`);
  const looking = setInterval(() => {
    changed(false);
    tick();
  }, LOOK_MS);
  return () => clearInterval(looking);
}
