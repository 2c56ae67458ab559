/** Hears of libraries that come and go: from the loader where that can be, else by looking from time to time. */
import { LoaderWatch } from "../os/index.js";
import type { Registry } from "../registry/registry.js";
import type { Log } from "./session.js";

/** ms between looks, where the loader does not tell. */
const LOOK_MS = 250;

/**
 * @param onChange is told whether the thread that changed the loader's list waits in the loader: then no thread can close
 *   what is new, nor uses it yet
 * @param onTick is called every few seconds
 * @returns what ends it
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
