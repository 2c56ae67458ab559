/** What starts the pipeline: artifacts that change, sources that change and are built, and what the user asks for. */
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import type { UntimedEvent } from "../../schemas/event.js";
import { contentHash } from "../binary/elf.js";
import * as errors from "../errors.js";
import { HotpatchError } from "../errors.js";
import { KnownSources } from "../library/built-from.js";
import type { Libraries } from "../library/libraries.js";
import type { FollowedLibrary } from "../library/library.js";
import { BuildLoop } from "../steps/build.js";
import { RebuildLoop } from "../steps/rebuild-loop.js";
import { watchFile } from "../steps/watch-file.js";
import { type Change, type SourceWatcher, watchSources } from "../steps/watch-sources.js";
import { sharedFileSystem } from "../system/file-systems.js";
import { ownOutputs } from "../system/own-outputs.js";
import type { SessionOptions } from "./options.js";
import type { Pipeline, Reason } from "./pipeline.js";
import type { SerialQueue } from "./serial-queue.js";

/** Bytes of which contents are compared; of larger files size and time. */
const MOST_HASHED = 8 * 1024 * 1024;

/** ms between looks at folders of whose changes the system does not always tell. */
const SHARED_POLL_MS = 1000;

export class Triggers {
  readonly #options: SessionOptions;
  readonly #libraries: Libraries;
  readonly #queue: SerialQueue;
  readonly #pipeline: Pipeline;
  readonly #say: (event: UntimedEvent) => void;
  readonly #build: BuildLoop | null;
  readonly #watchers: { close(): void }[] = [];
  #sources: SourceWatcher | null = null;
  /** Watched folders that may change without a sign -> what they are in. */
  #shared: ReadonlyMap<string, string> = new Map();
  readonly #known = new KnownSources();
  readonly #loop = new RebuildLoop(hashOf);
  /** When the last build began, in ms since 1970. */
  #built = 0;
  /** Whether a build waits for the session to be ready; null from then on. */
  #waiting: boolean | null = false;

  /** @param queue where the pipeline runs */
  constructor(
    options: SessionOptions,
    libraries: Libraries,
    queue: SerialQueue,
    pipeline: Pipeline,
    say: (event: UntimedEvent) => void,
  ) {
    this.#options = options;
    this.#libraries = libraries;
    this.#queue = queue;
    this.#pipeline = pipeline;
    this.#say = say;
    this.#build = options.build === null ? null : this.#makeBuild(options.build);
  }

  /** A folder that is not there would be watched in silence. @throws HotpatchError */
  checkFolders(): void {
    const { watch } = this.#options;
    const missing = this.#build === null ? undefined : watch.find((folder) => !existsSync(folder));
    if (missing !== undefined)
      throw new HotpatchError(errors.usage(`cannot watch ${missing} for --build`, "no such folder"));
  }

  /** Before a session the build runs only for an artifact that is not there. Rejects with a HotpatchError. */
  async buildMissing(): Promise<void> {
    const { build, library } = this.#options;
    const missing = library.find((path) => !existsSync(path));
    if (missing === undefined) return;
    if (this.#build === null || build === null)
      throw new HotpatchError(errors.libraryNotFound(missing, "no such file"));
    const result = await this.#build.once();
    if (result.kind === "failed")
      throw new HotpatchError(errors.buildFailed(build, result.exitCode, result.output, errors.UNTOUCHED));
    if (!existsSync(missing))
      throw new HotpatchError(
        errors.libraryNotFound(missing, `the build command ran but did not produce it: ${build}`),
      );
  }

  /** Whether there is something to build. */
  requestBuild(): boolean {
    if (this.#build === null) return false;
    this.#loop.other();
    this.#buildSoon(this.#build);
    return true;
  }

  /** The session is ready: what waited for that is built. */
  open(): void {
    for (const [folder, kind] of this.#shared)
      this.#say({ type: "warning", ...errors.polledFolder(folder, kind, SHARED_POLL_MS, this.#libraries.runsText) });
    const waiting = this.#waiting === true;
    this.#waiting = null;
    if (waiting && this.#build !== null) this.#buildSoon(this.#build);
  }

  /** Resolves once every save is noticed. */
  async watchSources(): Promise<void> {
    const build = this.#build;
    if (build === null) return;
    const { watch, poll: pollMs } = this.#options;
    const isOurs = ownOutputs();
    if (pollMs === null) this.#shared = new Map(watch.flatMap((folder) => sharedAt(folder)));
    const known = (path: string) => this.#known.has(path, this.#libraries.artifacts);
    const alsoPollMs = this.#shared.size > 0 ? SHARED_POLL_MS : null;
    const ignore = (path: string) => this.#libraries.artifacts.includes(path) || isOurs(path);
    this.#sources = watchSources(watch, (changes) => this.#changed(build, changes), {
      pollMs,
      alsoPollMs,
      ignore,
      known,
    });
    this.#watchers.push(this.#sources);
    await this.#sources.ready;
  }

  /** With --build the build says when its artifacts are there; sources that it has not seen are built at once. */
  watchArtifact(library: FollowedLibrary): void {
    if (this.#build !== null) {
      if (this.#isOld(library.artifact)) this.requestBuild();
      return;
    }
    const { poll: pollMs } = this.#options;
    this.#watchers.push(watchFile(library.artifact, () => this.take(library, "changed on disk"), { pollMs }));
  }

  /** The artifact is taken as soon as what is under way has ended; several writes are taken once. */
  take(library: FollowedLibrary, reason: Reason): void {
    library.overtake.abort();
    library.overtake = new AbortController();
    if (library.pending) return;
    library.pending = true;
    this.#queue.add(async () => {
      library.pending = false;
      await this.#pipeline.take(library, reason);
    });
  }

  close(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    this.#build?.close();
  }

  /** Whether a source of a file was written after the file: one that its line tables name, or any where they are missing. */
  #isOld(artifact: string): boolean {
    const stats = statSync(artifact, { throwIfNoEntry: false });
    if (stats === undefined || this.#sources === null) return false;
    const since = Math.max(stats.mtimeMs, this.#built);
    if (!this.#sources.hasNewer(since, () => true)) return false;
    const known = this.#known.of(artifact);
    return (
      known === null ||
      this.#sources.hasNewer(since, (path) => known.has(path) || (existsSync(path) && known.has(realpathSync(path))))
    );
  }

  /** Once the session is ready: until then the host may be loading what a build writes. */
  #buildSoon(build: BuildLoop): void {
    if (this.#waiting === null) void build.once();
    else this.#waiting = true;
  }

  #changed(build: BuildLoop, changes: readonly Change[]): void {
    const { starts, looping } = this.#loop.judge(changes);
    for (const path of looping) this.#say({ type: "warning", ...errors.rebuildLoop(path, this.#libraries.runsText) });
    if (starts) this.#buildSoon(build);
  }

  #makeBuild(command: string): BuildLoop {
    return new BuildLoop(command, process.cwd(), process.env, {
      onStarted: () => {
        this.#loop.began(performance.now());
        this.#built = Date.now();
        this.#say({ type: "build:started", command });
      },
      onFailed: ({ ms, exitCode, output }) => {
        this.#loop.ended(performance.now());
        this.#say({ type: "build:failed", command, ms, exitCode, output });
      },
      onFinished: ({ ms }) => {
        this.#loop.ended(performance.now());
        this.#say({ type: "build:finished", command, ms });
        for (const library of this.#libraries.named()) this.take(library, "the build ended");
        return this.#queue.idle;
      },
    });
  }
}

function sharedAt(folder: string): [string, string][] {
  const kind = sharedFileSystem(folder);
  return kind === null ? [] : [[folder, kind]];
}

/** Tells a file's contents apart; "" if it cannot be read. */
function hashOf(path: string): string {
  try {
    const { size, mtimeMs } = statSync(path);
    return size > MOST_HASHED ? `${size} ${mtimeMs}` : contentHash(readFileSync(path));
  } catch {
    return "";
  }
}
