/**
 * Step: notice a build that starts itself anew, by a file that it writes and that is watched. Who wrote a file is not known;
 * but what has changed during a build, and started the next one, and changed during that one too, was hardly an editor.
 */
import type { Change } from "./watch-sources.js";

/** Builds in a row, each started by what the one before it wrote, after which a file starts no more. */
const ROUNDS = 3;
/** ms after a build's end within which a sign may still be of what it wrote. */
const LATE_MS = 100;

/** What a build was started by: files that changed during the one before it, and whether by anything else too. */
interface Starters {
  readonly written: Set<string>;
  other: boolean;
}

const noStarters = (): Starters => ({ written: new Set(), other: false });

export class RebuildLoop {
  readonly #hashOf: (path: string) => string;
  #began = Number.NEGATIVE_INFINITY;
  #ended = Number.NEGATIVE_INFINITY;
  /** When the build before the last one ended. */
  #endedBefore = Number.NEGATIVE_INFINITY;
  #next = noStarters();
  /** File -> builds in a row that it has started, written by the one before. */
  readonly #rounds = new Map<string, number>();
  /** Files that start no build until something else does. */
  readonly #muted = new Set<string>();
  /** Files that were muted once. */
  readonly #named = new Set<string>();
  /** Of files that changed during a build, as they were then. */
  readonly #hashes = new Map<string, string>();

  /** @param hashOf tells contents apart */
  constructor(hashOf: (path: string) => string) {
    this.#hashOf = hashOf;
  }

  /** A build begins. Times are those of `performance.now()`. */
  began(at: number): void {
    const { written, other } = this.#next;
    this.#next = noStarters();
    this.#began = at;
    this.#endedBefore = this.#ended;
    this.#ended = Number.POSITIVE_INFINITY;
    for (const path of this.#rounds.keys()) if (other || !written.has(path)) this.#rounds.delete(path);
    if (!other) for (const path of written) this.#rounds.set(path, (this.#rounds.get(path) ?? 0) + 1);
    else if (this.#muted.size > 0) this.#forgive();
  }

  ended(at: number): void {
    this.#ended = at;
  }

  /** The next build is started by something that no build wrote. */
  other(): void {
    this.#next.other = true;
  }

  /** Whether one of the changes is to start a build, and the files that are found, now, to keep doing so. */
  judge(changes: readonly Change[]): { readonly starts: boolean; readonly looping: readonly string[] } {
    let starts = false;
    const looping: string[] = [];
    for (const { path, at } of changes)
      if (this.#isBetweenBuilds(at)) {
        this.#hashes.delete(path);
        this.other();
        starts = true;
      } else if (this.#isNews(path)) {
        if ((this.#rounds.get(path) ?? 0) < ROUNDS) {
          this.#next.written.add(path);
          starts = true;
        } else looping.push(...this.#mute(path));
      }
    return { starts, looping };
  }

  #isBetweenBuilds(at: number): boolean {
    return at > this.#ended + LATE_MS || (at < this.#began && at > this.#endedBefore + LATE_MS);
  }

  /** Whether a file that changed during a build, or right after, has contents that did not start one yet. */
  #isNews(path: string): boolean {
    if (this.#muted.has(path)) return false;
    const hash = this.#hashOf(path);
    const known = this.#hashes.get(path);
    this.#hashes.set(path, hash);
    return known !== hash;
  }

  /** @returns the file, if it was not named before */
  #mute(path: string): string[] {
    this.#muted.add(path);
    if (this.#named.has(path)) return [];
    this.#named.add(path);
    return [path];
  }

  /** Something else has changed: what was muted may start one more build, in case it is needed, and no three. */
  #forgive(): void {
    for (const path of this.#muted) this.#rounds.set(path, ROUNDS - 1);
    this.#muted.clear();
  }
}
