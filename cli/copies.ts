/** The private folder of one target's copies for one session, under the names it has for us and for the target. */
import { closeSync, constants, openSync } from "node:fs";
import { basename, join } from "node:path";
import { HotpatchError, noPlace } from "./errors.js";
import { candidates, findPlace } from "./preflight/place.js";
import { factsOf } from "./preflight/process.js";
import { makeFolder, removeFolder, removeFoldersOf, startTimeOf, sweepFolders } from "./steps/folder.js";
import { viewOf } from "./view.js";

/**
 * Removes what dead sessions left in the places we see. Not in those of targets with a mount namespace of their own: the
 * pids in the names there may be of another pid namespace, and their owners alive.
 */
export const sweepPlaces = (): string[] => sweepFolders(candidates());

export class CopyFolder {
  /** What we call it. */
  readonly here: string;
  /** What the target calls it. */
  readonly there: string;
  readonly #pid: number;
  readonly #startTime: number | null;
  readonly #parent: string;
  /** Keeps a folder in another mount namespace within reach when the target, and /proc/PID/root with it, has ended. */
  readonly #anchor: number | null;

  private constructor(
    folder: { here: string; there: string; parent: string; anchor: number | null },
    target: { pid: number; startTime: number | null },
  ) {
    this.here = folder.here;
    this.there = folder.there;
    this.#parent = folder.parent;
    this.#anchor = folder.anchor;
    this.#pid = target.pid;
    this.#startTime = target.startTime;
  }

  /** Rejects with copy-failed when there is no place that serves the target. */
  static async make(pid: number): Promise<CopyFolder> {
    const startTime = startTimeOf(pid);
    const target = factsOf(pid);
    if (target === null) throw new HotpatchError(noPlace(pid, "the process has ended"));
    const { place, passed } = findPlace(target);
    if (place === null) throw new HotpatchError(noPlace(pid, passed.join("\n")));
    const anchor = viewOf(pid).same ? null : openSync(place.here, constants.O_RDONLY | constants.O_DIRECTORY);
    const parent = anchor === null ? place.here : `/proc/self/fd/${anchor}`;
    const here = await makeFolder(parent, pid, startTime, target.uid);
    return new CopyFolder({ here, there: join(place.there, basename(here)), parent, anchor }, { pid, startTime });
  }

  /** The target's name for a file in the folder. */
  thereOf(path: string): string {
    return join(this.there, basename(path));
  }

  /** @param all also those that earlier sessions left for this process: only its one session may do that */
  remove(all: boolean): void {
    if (all) removeFoldersOf([...candidates(), this.#parent], this.#pid, this.#startTime);
    else removeFolder(this.here);
  }

  /** Lets the folder be. */
  close(): void {
    if (this.#anchor !== null) closeSync(this.#anchor);
  }
}
