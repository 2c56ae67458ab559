/**
 * The libraries of one target: which are wanted, which have been found, and what runs. Reads files; emits no events.
 */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { FoundLibrary } from "../../schemas/agent.js";
import { contentHash, readElf } from "../binary/elf.js";
import { recorded } from "../evidence/record.js";
import { layoutsOf } from "../steps/debug-info.js";
import type { Choose, Inspected } from "../steps/inspect.js";
import { NoLibraryFile, readWhole } from "../system/file-identity.js";
import { type FileView, fileViewOf } from "../system/mount-namespace.js";
import { aliasesOf } from "./aliases.js";
import { generationZero, keptCopy } from "./generation-zero.js";
import { lazy } from "./lazy.js";
import { FollowedLibrary, type KnownGeneration } from "./library.js";
import { NO_SOURCES, sourcesOf } from "./source-lines.js";
import type { Chooser } from "./unmarked.js";

export class Libraries {
  readonly #wanted: readonly string[];
  readonly #chooser: Chooser;
  readonly #found = new Map<string, FollowedLibrary>();

  /** @param wanted artifacts named by --library, absolute paths; empty: every library with marks */
  constructor(wanted: readonly string[], chooser: Chooser) {
    this.#wanted = wanted;
    this.#chooser = chooser;
  }

  /** File names and SONAMEs by which the agent knows the wanted ones; null: all that have marks. */
  get wantedNames(): string[] | null {
    return this.#wanted.length === 0 ? null : this.#wanted.flatMap(namesOf);
  }

  /** Adds what the agent adopted, with generation 0's own file if it can still be read. */
  add(pid: number, found: FoundLibrary): { library: FollowedLibrary; zero: Inspected | null } {
    const view = fileViewOf(pid);
    // A link in another file system may point anywhere in ours.
    const opened = (view.same ? found.openedAs : null) ?? found.path;
    const files = [found.path, opened].map((path) => basename(path));
    const wanted = this.#wanted.find((path) => namesOf(path).some((name) => files.includes(name)));
    const library = new FollowedLibrary(found, wanted ?? view.here(opened), view.same ? (wanted ?? null) : null);
    this.#found.set(library.name, library);
    const choose = this.chooserFor(library);
    const zero = generationZero(pid, found, view, choose);
    for (const known of [...library.generations.values()]) {
      const { generation } = known;
      const file = generation === 0 ? zero : keptCopy(found, generation, view, choose);
      if (file !== null) learn(library, known, file, found, view);
    }
    library.exports = zero?.exports ?? library.exports;
    return { library, zero };
  }

  /** How unmarked functions are picked in this library's files; null if none are requested. */
  chooserFor({ unmarked, unpatchable }: FollowedLibrary): Choose | null {
    if (!this.#chooser.asked && unmarked.size === 0) return null;
    return (elf, marks) => this.#chooser.choose(elf, marks, unmarked, unpatchable);
  }

  get(name: string): FollowedLibrary | undefined {
    return this.#found.get(name);
  }

  /** Those with this name; all if undefined. */
  named(name?: string): FollowedLibrary[] {
    return [...this.#found.values()].filter((l) => name === undefined || l.name === name);
  }

  /** Paths of --library that nothing in the target has matched so far. */
  get notFound(): string[] {
    const artifacts = new Set(this.named().map((l) => l.artifact));
    return this.#wanted.filter((path) => !artifacts.has(path));
  }

  get artifacts(): string[] {
    return [...this.#wanted, ...this.named().map((l) => l.artifact)];
  }

  /** What the target runs now, in words, for errors. */
  get runsText(): string {
    const all = this.named().map((l) => l.runsText);
    return all.length === 0 ? "the host's own code" : all.join(", ");
  }
}

/** Takes in what the file of a generation says of it. */
function learn(
  library: FollowedLibrary,
  known: KnownGeneration,
  file: Inspected,
  found: FoundLibrary,
  view: FileView,
): void {
  const { generation } = known;
  const { code, entries, hooks, marks } = file;
  const { buildId, hash } = generation === 0 ? file : known; // a copy's own bytes are not its artifact's
  const copy = found.generations.find((one) => one.generation === generation)?.path;
  const path = view.here(generation === 0 ? found.path : (copy ?? found.path));
  const layouts = lazy(() => layoutsOf(file, view.here(found.path)));
  const sources = lazy(() => (isStill(path, file.hash) ? sourcesOf(path, entries) : Promise.resolve(NO_SOURCES)));
  const records = recorded(marks.records);
  library.generations.set(generation, { ...known, buildId, hash, code, records, layouts, sources, hooks });
  library.aliases.push(...aliasesOf(entries));
  library.hasVirtuals(file.virtuals);
}

/** Whether these bytes are still at the path: the next build replaces what the host has loaded. */
function isStill(path: string, hash: string): boolean {
  try {
    return contentHash(readWhole(path)) === hash;
  } catch {
    return false; // deleted
  }
}

/** Whether the file at the artifact's path differs from what runs: built while nobody was watching. */
export function differs({ artifact, runs }: FollowedLibrary): boolean {
  try {
    return existsSync(artifact) && contentHash(readWhole(artifact)) !== runs.hash;
  } catch (error) {
    return error instanceof NoLibraryFile; // refused with its reason; for any other file the next change is noticed
  }
}

function namesOf(path: string): string[] {
  const file = basename(path);
  try {
    const soname = readElf(readWhole(path)).soname;
    return soname === null ? [file] : [file, soname];
  } catch {
    return [file]; // not there or not an ELF: later steps say so
  }
}
