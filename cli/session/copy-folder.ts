/** The private folder of one target's copies for one session, under the names it has for us and for the target. */
import { closeSync } from "node:fs";
import { basename, join } from "node:path";
import { HotpatchError, noPlace } from "../errors.js";
import { candidates, findPlace, type Place } from "../preflight/place.js";
import { viewOf } from "../system/mount-namespace.js";
import { leaveForDebugger, makeFolder, removeFolder, removeFoldersOf, sweepFolders } from "../system/private-folder.js";
import { startTimeOf } from "../system/proc.js";
import { factsOf } from "../system/process-facts.js";

/**
 * Removes what dead sessions left in the places we see. Not in those of targets with a mount namespace of their own: the
 * pids in the names there may be of another pid namespace, and their owners alive.
 */
export const sweepPlaces = (): string[] => sweepFolders(candidates());

export class CopyFolder {
  /** What we call it. */
  readonly here: string;
  readonly #place: Place;
  readonly #parent: string;
  readonly #pid: number;
  readonly #startTime: number | null;
  readonly #uid: number;

  private constructor(
    place: Place,
    parent: string,
    here: string,
    { pid, uid }: { readonly pid: number; readonly uid: number },
    startTime: number | null,
  ) {
    this.#place = place;
    this.#parent = parent;
    this.here = here;
    this.#pid = pid;
    this.#uid = uid;
    this.#startTime = startTime;
  }

  /** Rejects with copy-failed when there is no place that serves the target. */
  static async make(pid: number): Promise<CopyFolder> {
    const startTime = startTimeOf(pid);
    const target = factsOf(pid);
    if (target === null) throw new HotpatchError(noPlace(pid, "the process has ended"));
    const { place, passed } = findPlace(target);
    if (place === null) throw new HotpatchError(noPlace(pid, passed.join("\n")));
    // The plain path reads better in errors, where the target has the same.
    const parent = viewOf(pid).same ? place.path : `/proc/self/fd/${place.folder}`;
    const here = await makeFolder(parent, pid, startTime, target.uid).catch((error: Error) => {
      closeSync(place.folder);
      throw new HotpatchError(noPlace(pid, `${place.path}: ${error.message}`), error);
    });
    return new CopyFolder(place, parent, here, target, startTime);
  }

  /** Whether the target has become another user's since, as daemons do that begin as root: it may not enter any more. */
  get outgrown(): boolean {
    const target = factsOf(this.#pid);
    return target !== null && target.uid !== this.#uid;
  }

  /** The target's name for the folder. */
  get there(): string {
    return join(this.#place.path, basename(this.here));
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

  /** The target has died: what its core dump names stays for a day. Returns where; null when there is nothing. */
  leaveForDebugger(): string | null {
    const left = leaveForDebugger([...new Set([...candidates(), this.#parent])], this.#pid, this.#startTime);
    return left.length === 0 ? null : left.map((path) => join(this.#place.path, basename(path))).join(", ");
  }

  /** Lets the folder be. */
  close(): void {
    closeSync(this.#place.folder);
  }
}
