/** Notices libraries that come and go: the loader tells us where possible, else we poll. */
import { LoaderWatch } from "../os/index.js";
import type { Registry } from "../registry/registry.js";
import type { Log } from "./session.js";

/** Polling interval in ms, where the loader does not tell. */
const LOOK_MS = 250;

/**
 * @param onChange told whether the thread that changed the loader's list is held in the loader: if so, no thread can
 *   close what is new, and none uses it yet
 * @param onTick called every few seconds
 * @returns a function that stops it
 */
export function hearArrivals(
  registry: Registry,
  onChange: (held: boolean) => void,
  onTick: () => void,
  log: Log,
): () => void {
  const watch = LoaderWatch.start(registry.watched, () => onChange(true), onTick);
  if (typeof watch !== "string") {
    registry.watched = watch.watched;
    return () => watch.stop();
  }
  log("debug", `polling for new libraries every ${LOOK_MS} ms: ${watch}`);
  const looking = setInterval(() => {
    onChange(false);
    onTick();
  }, LOOK_MS);
  return () => clearInterval(looking);
}
