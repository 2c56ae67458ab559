/** The private folder for one target's copies in one session, with its path here and in the target. */
import { closeSync } from "node:fs";
import { basename, join } from "node:path";
import { HotpatchError, noPlace } from "../errors.js";
import { findPlace, type Place, placesForCopies } from "../preflight/place.js";
import { fileViewOf } from "../system/mount-namespace.js";
import { leaveForDebugger, makeFolder, removeFolder, removeFoldersOf, sweepFolders } from "../system/private-folder.js";
import { startTimeOf } from "../system/proc.js";
import { factsOf } from "../system/process-facts.js";

/**
 * Removes what dead sessions left in the folders we see. Not in those of targets with their own mount namespace: pids
 * in names there may belong to another PID namespace, and their owners may be alive.
 */
export const sweepPlaces = (): string[] => sweepFolders(placesForCopies());

export class CopyFolder {
  /** Its path here. */
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

  /** Rejects with copy-failed if there is no suitable folder. */
  static async make(pid: number): Promise<CopyFolder> {
    const startTime = startTimeOf(pid);
    const target = factsOf(pid);
    if (target === null) throw new HotpatchError(noPlace(pid, "the process has ended"));
    const { place, passed } = findPlace(target);
    if (place === null) throw new HotpatchError(noPlace(pid, passed.join("\n")));
    // The plain path reads better in errors, if the target has the same one.
    const parent = fileViewOf(pid).same ? place.path : `/proc/self/fd/${place.folder}`;
    const here = await makeFolder(parent, pid, startTime, target.uid).catch((error: Error) => {
      closeSync(place.folder);
      throw new HotpatchError(noPlace(pid, `${place.path}: ${error.message}`), error);
    });
    return new CopyFolder(place, parent, here, target, startTime);
  }

  /** Whether the target has changed its user since, as daemons started as root do: it can no longer enter. */
  get outgrown(): boolean {
    const target = factsOf(this.#pid);
    return target !== null && target.uid !== this.#uid;
  }

  /** The folder's path in the target. */
  get there(): string {
    return join(this.#place.path, basename(this.here));
  }

  /** The path in the target of a file in the folder. */
  thereOf(path: string): string {
    return join(this.there, basename(path));
  }

  /** @param all also those that earlier sessions left for this process: only its current session may do that */
  remove(all: boolean): void {
    if (all) removeFoldersOf([...placesForCopies(), this.#parent], this.#pid, this.#startTime);
    else removeFolder(this.here);
  }

  /** The target has died: what its core dump names is kept for a day. Returns where; null if there is nothing. */
  leaveForDebugger(): string | null {
    const left = leaveForDebugger([...new Set([...placesForCopies(), this.#parent])], this.#pid, this.#startTime);
    return left.length === 0 ? null : left.map((path) => join(this.#place.path, basename(path))).join(", ");
  }

  /** Leaves the folder alone. */
  close(): void {
    closeSync(this.#place.folder);
  }
}
