/** Checks that the sources can be watched, by watching them as a session would. */
import { watchSources } from "../steps/watch-sources.js";
import { readProc } from "../system/proc.js";
import { type Fine, fine, type Lack, lacking } from "./finding.js";

/** Source: inotify(7). One instance serves all folders of a node process; each folder takes one watch. */
const LIMITS = ["max_user_instances", "max_user_watches"] as const;

export async function checkWatching(folder: string): Promise<Fine | Lack> {
  const limits = LIMITS.map((name) => `${name} ${readProc(`/proc/sys/fs/inotify/${name}`)?.trim() ?? "unknown"}`);
  const watcher = watchSources([folder], () => {}, { pollMs: null, ignore: () => false });
  await watcher.ready;
  const { folders, unwatched } = watcher.count();
  watcher.close();
  if (unwatched === 0) return fine(`${folders} source folders below ${folder}; inotify: ${limits.join(", ")}`);
  return lacking(
    `${unwatched} of ${folders} source folders below ${folder} cannot be watched, and are polled once a second: the inotify limits are exhausted (${limits.join(", ")})`,
    "raise them: sysctl -w fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
    false,
  );
}
