/**
 * The story of a session, from arriving at a target to leaving it: which libraries are followed, and what starts the pipeline
 * (pipeline.ts): a save -> build -> settle -> inspect -> compare -> prepare -> load -> switch, for each of them.
 */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { StringDecoder } from "node:string_decoder";
import type { AgentAnswer, BeginAnswer, FoundLibrary, RefusedMark } from "../../schemas/agent.js";
import type { Command } from "../../schemas/command.js";
import type { ErrorReport } from "../../schemas/error.js";
import type { StatusLibrary, UntimedEvent } from "../../schemas/event.js";
import { AGENT_PROTOCOL } from "../../schemas/protocol.js";
import * as errors from "../errors.js";
import { HotpatchError } from "../errors.js";
import type { Backend, Outcome, Target, TargetEvent } from "../frida/target.js";
import { mapsArtifact } from "../library/generation-zero.js";
import { differs, Libraries } from "../library/libraries.js";
import type { FollowedLibrary } from "../library/library.js";
import { Chooser } from "../library/unmarked.js";
import { SessionLocks } from "../preflight/sessions.js";
import { BuildLoop } from "../steps/build.js";
import { type Inspected, inspect } from "../steps/inspect.js";
import { watchFile, watchSources } from "../steps/watch.js";
import { isSameFile, readWhole } from "../system/file-identity.js";
import { settleTemp } from "../system/temp-folder.js";
import { arrive, enter } from "./arrive.js";
import { CopyFolder, sweepPlaces } from "./copy-folder.js";
import { type Ending, exitCodeOf, type Gone, leavesCore, outcomeOf } from "./exit-status.js";
import { HostSearch } from "./host-search.js";
import type { Level, SessionOptions } from "./options.js";
import { Pipeline, type Reason } from "./pipeline.js";
import { agentError, refusedFunctions } from "./refusals.js";
import { endLauncher, letGo, release, stopHost, within } from "./shutdown.js";
import { TargetConnection } from "./target-connection.js";
import { VERSION } from "./version.js";

/** ms that what is under way may take once the end was asked for. */
const UNDER_WAY_MS = 5000;

/** ms that a host has to load its libraries before the session says that it has none. */
const NOTHING_MS = 5000;

/** Before generation 0's functions without marks have been looked at. */
const NONE_ADOPTED: { ok: true; value: AgentAnswer<"adopt"> } = { ok: true, value: { adopted: [], refused: [] } };

export class Session {
  readonly #options: SessionOptions;
  readonly #say: (event: UntimedEvent) => void;
  readonly #note: (level: Level, entry: object) => void;
  readonly #libraries: Libraries;
  readonly #closers: (() => void)[] = [];
  readonly #decoders = { stdout: new StringDecoder(), stderr: new StringDecoder(), tty: new StringDecoder() };
  readonly #connection = new TargetConnection();
  readonly #locks = new SessionLocks();
  readonly #pipeline: Pipeline;
  #build: BuildLoop | null = null;
  /** Nothing is said after `session:ended`. */
  #over = false;
  #backend: Backend | null = null;
  /** While a spawned program may turn out to be a launcher. */
  #search: HostSearch | null = null;
  /** The end of the spawned program, before a host was found. */
  #launcherEnd: Extract<Gone, { kind: "exited" }> | null = null;
  /** The spawned program, once it has turned out to be a launcher, and its end. */
  #launcher: { readonly target: Target; readonly gone: Promise<Outcome | null> } | null = null;
  /** Commands that came before the session was ready, which they wait for; null from then on. */
  #early: Command[] | null = [];
  /** Everything that changes the target goes through here, one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #end: (ending: Ending) => void = () => {};
  readonly #ended: Promise<Ending>;
  /** What goes to the host's terminal, one after the other: a host that does not read keeps only these waiting. */
  #typed: Promise<void> = Promise.resolve();
  /** How the target, or the link to it, ended. */
  #go: (gone: Gone) => void = () => {};
  readonly #gone: Promise<Gone>;

  /**
   * @param say takes every event; it may be called until `run` has resolved
   * @param elapsed ms since the session began
   * @param note takes what only the log holds
   */
  constructor(
    options: SessionOptions,
    say: (event: UntimedEvent) => void,
    elapsed: () => number,
    note: (level: Level, entry: object) => void,
  ) {
    this.#options = options;
    this.#say = say;
    this.#note = note;
    this.#libraries = new Libraries(options.library, new Chooser(options.functions));
    this.#pipeline = new Pipeline(options, this.#libraries, this.#connection, say, elapsed);
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#gone = new Promise((resolve) => {
      this.#go = resolve;
    });
  }

  /** From arriving to leaving. Resolves with the exit code; rejects with a HotpatchError when it could not arrive. */
  async run(): Promise<number> {
    settleTemp();
    sweepPlaces();
    this.#checkWatched();
    await this.#buildMissing();
    const { backend, target } = await arrive(this.#options, this.#locks).catch((error) => {
      this.#locks.releaseAll();
      throw error;
    });
    this.#connection.target = target;
    this.#backend = backend;
    let ours = false; // not while another session has the target
    let kept = false;
    let failed = true;
    try {
      this.#connection.folder = await CopyFolder.make(target.pid);
      const begun = await this.#begin(target, this.#options.arrival.kind === "spawn");
      ours = true;
      const { name, version } = backend;
      const host = basename(begun.host);
      this.#say({ type: "session:started", pid: target.pid, backend: name, host, version, hotpatch: VERSION });
      await this.#follow(target, begun);
      const ending = await this.#ended;
      kept = await this.#leave(ending);
      failed = false;
      return exitCodeOf(ending, this.#options.arrival.kind);
    } finally {
      this.#close();
      await letGo(this.#connection.target);
      if (failed && this.#options.arrival.kind === "spawn") await this.#stopStarted(target);
      await backend.close();
      // A target that goes on with its copies keeps their files; a later session's sweep takes them when it has ended.
      this.#connection.leaveFolders(kept ? null : ours);
      this.#locks.releaseAll();
    }
  }

  /** What the target runs, in words, after `run` has rejected. */
  get leftRunning(): string {
    if (this.#connection.target === null) return errors.UNTOUCHED;
    return this.#options.arrival.kind === "spawn" ? errors.ENDED : errors.LET_GO;
  }

  /** Takes a command of --json or of a key, once the session is ready. Never throws: a failure is an event. */
  command(command: Command): void {
    if (this.#early !== null && command.command !== "end") return void this.#early.push(command);
    switch (command.command) {
      case "end":
        return this.end("asked to end", command.keep);
      case "build":
        if (this.#build === null)
          return this.#error(errors.badCommand('"build"', "there is no --build command", this.#libraries.runsText));
        return this.#build.request();
      case "reload":
        for (const library of this.#libraries.named(command.library)) this.#changed(library, "asked to reload");
        return;
      case "rollback":
        return this.#enqueue(() => this.#pipeline.rollback(command.generation, command.library));
      case "preview":
        return this.#pipeline.preview(command.generation, command.library);
      case "status":
        return this.#enqueue(() => this.#status());
    }
  }

  /** Types into the spawned host's terminal; pieces arrive in the order they were given. */
  input(text: string): void {
    this.#toTerminal((target) => target.input(Buffer.from(text)));
  }

  /** Sizes the spawned host's terminal, in characters. */
  resize(cols: number, rows: number): void {
    this.#toTerminal((target) => target.resize(cols, rows));
  }

  /** Ends the session once it is ready. `keep` absent: the --keep flag decides. */
  end(reason: string, keep = this.#options.keep): void {
    this.#end({ kind: "asked", reason, keep });
  }

  badCommand(line: string, detail: string): void {
    this.#error(errors.badCommand(line, detail, this.#libraries.runsText));
  }

  // Arriving ----------------------------------------------------------------------------------------------------------

  /** A folder that is not there would be watched in silence. */
  #checkWatched(): void {
    const { build, watch } = this.#options;
    const missing = build === null ? undefined : watch.find((folder) => !existsSync(folder));
    if (missing !== undefined)
      throw new HotpatchError(errors.usage(`cannot watch ${missing} for --build`, "there is no such folder"));
  }

  /** The build runs at start only for an artifact that is not there. */
  async #buildMissing(): Promise<void> {
    const { build, library: libraries } = this.#options;
    const missing = libraries.find((path) => !existsSync(path));
    if (missing === undefined) return;
    if (build === null) throw new HotpatchError(errors.libraryNotFound(missing, "no such file"));
    const result = await this.#makeBuild(build).once();
    if (result.kind === "failed")
      throw new HotpatchError(errors.buildFailed(build, result.exitCode, result.output, errors.UNTOUCHED));
    if (!existsSync(missing))
      throw new HotpatchError(errors.libraryNotFound(missing, `the build command ran and did not make it: ${build}`));
  }

  /** The agent adopts what is loaded, and from now on what appears. */
  async #begin(target: Target, stopped: boolean): Promise<BeginAnswer> {
    const libraries = this.#libraries.wantedNames;
    const unmarked = this.#options.functions.length > 0;
    const stage = this.#options.stage ? (this.#connection.folder?.there ?? null) : null;
    const { carrier } = target;
    const request = { protocol: AGENT_PROTOCOL, owner: process.pid, libraries, unmarked, stage, stopped, carrier };
    const running = this.#options.arrival.kind === "spawn" ? errors.ENDED : errors.LET_GO;
    const begun = await target.call("begin", request).catch((error: Error) => {
      if (error instanceof HotpatchError) throw error;
      throw new HotpatchError(errors.attachFailed(target.pid, error.message, running), error);
    });
    if (begun.ok) return begun.value;
    const { code, detail } = begun.error;
    if (code === "attach-busy") throw new HotpatchError(errors.attachBusy(target.pid, detail));
    throw new HotpatchError(errors.attachFailed(target.pid, detail, running));
  }

  /** The target runs; from here on events drive everything. */
  async #follow(target: Target, { host, libraries, marksInExecutable }: BeginAnswer): Promise<void> {
    if (marksInExecutable > 0) this.#warn(errors.marksInExecutable(host, marksInExecutable));
    for (const library of libraries) this.#found(library);
    // Functions without marks are adopted while a spawned host stands at its entry point.
    if (this.#options.functions.length > 0) await this.#queue;
    target.listen((event) => this.#hear(event));
    if (this.#options.arrival.kind === "spawn") {
      if (libraries.length === 0) this.#seek(target);
      await target.resume();
    }
    this.#watchSources();
    await Promise.race([this.#queue, this.#gone]);
    this.#say({ type: "session:ready" });
    for (const path of this.#libraries.notFound) {
      const report = this.#whyNotFound(path, basename(host));
      // Of the executable's marks it was told above.
      if (report.code !== "marks-in-executable" || marksInExecutable === 0) this.#warn(report, basename(path));
    }
    const timer = setTimeout(() => this.#warnOfNothing(basename(host)), NOTHING_MS);
    this.#closers.push(() => clearTimeout(timer));
    const early = this.#early ?? [];
    this.#early = null;
    for (const command of early) this.command(command);
  }

  #warnOfNothing(host: string): void {
    if (this.#options.library.length > 0 || this.#libraries.named().length > 0) return; // told of each, or found
    this.#warn(errors.nothingFollowed(host, this.#options.functions.length > 0));
  }

  /** Another process is the target from here on, and the private folder is one that it sees. */
  async #settleIn(target: Target): Promise<void> {
    const before = this.#connection.target;
    this.#connection.target = target;
    if (before?.pid === target.pid) return; // it has become another program: its folder is there
    const folder = this.#connection.folder;
    this.#connection.folder = await CopyFolder.make(target.pid);
    folder?.remove(false);
    folder?.close();
  }

  /** A spawned program without a marked library may be a launcher: of what it starts, the first that has one is the host. */
  #seek(launcher: Target): void {
    this.#search = new HostSearch(launcher.pid, this.#libraries.wantedNames, {
      onHost: (pid, last) =>
        new Promise((entered) => this.#enqueue(async () => entered(await this.#moveTo(pid, launcher, last)))),
      // Without it the launcher's own end is still on its way, with its exit code.
      onGone: () => this.#launcherEnd !== null && this.#finish(this.#launcherEnd),
    });
    this.#closers.push(() => this.#search?.close());
  }

  /** Whether `pid` is the host from here on. `last`: it is not tried again. */
  async #moveTo(pid: number, launcher: Target, last: boolean): Promise<boolean> {
    if (this.#backend === null || this.#search?.closed !== false) return false;
    let begun: BeginAnswer;
    try {
      const target = await enter(this.#backend, pid, this.#locks);
      await this.#settleIn(target);
      begun = await this.#begin(target, false);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.#note("debug", { pid, notEntered: detail });
      if (last) this.#warn(error instanceof HotpatchError ? error.report : errors.attachFailed(pid, detail));
      this.#connection.target = launcher;
      return false;
    }
    this.#say({ type: "target:followed", pid, host: basename(begun.host), from: launcher.pid });
    this.#connection.target?.listen((event) => this.#hear(event));
    if (pid !== launcher.pid) await this.#leaveBehind(launcher);
    if (begun.marksInExecutable > 0) this.#warn(errors.marksInExecutable(begun.host, begun.marksInExecutable));
    for (const library of begun.libraries) this.#found(library);
    return true;
  }

  /** A launcher goes on without the agent; the host's output comes through its terminal. */
  async #leaveBehind(target: Target): Promise<void> {
    const gone = new Promise<Outcome | null>((resolve) => {
      if (this.#launcherEnd !== null) resolve(this.#launcherEnd.outcome);
      target.listen((event) => {
        if (event.type === "output") this.#hear(event);
        if (event.type === "exited") resolve(event.outcome);
      });
    });
    this.#launcher = { target, gone };
    await release(target, false);
    await letGo(target);
    this.#locks.release(target.pid);
  }

  #found(found: FoundLibrary): void {
    this.#search?.close();
    const { library, zero } = this.#libraries.add(this.#connection.pid, found);
    if (this.#options.functions.length === 0) return this.#welcome(library, zero, found, found.refused);
    this.#enqueue(async () =>
      this.#welcome(library, zero, found, [...found.refused, ...(await this.#adopt(library, zero))]),
    );
  }

  /** Generation 0's functions without marks that --functions asks for. Those that cannot be patched, and why. */
  async #adopt(library: FollowedLibrary, zero: Inspected | null): Promise<readonly RefusedMark[]> {
    const { name } = library;
    if (zero === null) {
      this.#warn(errors.goneFile(name, library.loadedFrom, library.runsText), name);
      return [];
    }
    const { refused } = zero.choice;
    const functions = [...zero.choice.functions];
    const answer =
      functions.length === 0 ? NONE_ADOPTED : await this.#connection.call("adopt", { library: name, functions });
    if (!answer.ok) this.#warn(agentError(answer.error, library, 0), name);
    const adopted = answer.ok ? answer.value : NONE_ADOPTED.value;
    const cannot = [...refused, ...adopted.refused];
    library.adopt(adopted.adopted, cannot);
    if (library.functions.size === 0)
      this.#warn(errors.noMatch(name, this.#options.functions.join(" "), library.runsText), name);
    return cannot;
  }

  /** A library whose functions lead through the table from here on. */
  #welcome(
    library: FollowedLibrary,
    zero: Inspected | null,
    found: FoundLibrary,
    refused: readonly RefusedMark[],
  ): void {
    this.#say({
      type: "library:found",
      library: library.name,
      path: library.loadedFrom,
      generation: library.running,
      functions: library.functions.size,
      state: zero?.state.length ?? 0,
      buildId: library.runs.buildId,
    });
    for (const report of refusedFunctions(refused, library)) this.#warn(report, library.name);
    if (zero !== null && zero.marks.unnamedBytes > 0)
      this.#warn(errors.strippedMarks(library.name, zero.marks.unnamedBytes, library.runsText), library.name);
    if (mapsArtifact(this.#connection.pid, found, library.artifact))
      this.#warn(errors.mappedArtifact(library.name, library.artifact, found.unstaged, library.runsText), library.name);
    // Before the next build: it may overwrite the debug information of what runs.
    this.#enqueue(async () => void library.runs.layouts());
    if (this.#options.build === null) this.#watchArtifact(library);
    if (differs(library)) this.#changed(library, "built before the session began");
  }

  /** Why an artifact of --library is followed by nothing yet: it is no library, has no marks, or is not loaded. */
  #whyNotFound(path: string, host: string): ErrorReport {
    const running = "the host's own code";
    const notLoaded = errors.libraryNotLoaded(basename(path), host);
    if (!existsSync(path)) return notLoaded;
    try {
      const inspection = inspect(path, basename(path), readWhole(path), running);
      if (inspection.kind !== "unfit") return notLoaded;
      const { report } = inspection;
      if (isSameFile(path, `/proc/${this.#connection.pid}/exe`))
        return { ...report, detail: `it is what pid ${this.#connection.pid} runs; ${report.detail}` };
      // With --functions a library needs no marks.
      const marksOnly = this.#options.functions.length === 0;
      return marksOnly || !["no-marks", "stripped-marks"].includes(report.code) ? report : notLoaded;
    } catch (error) {
      return errors.artifactInvalid(path, error instanceof Error ? error.message : String(error), running);
    }
  }

  // What starts the flow ----------------------------------------------------------------------------------------------

  #watchArtifact(library: FollowedLibrary): void {
    const { poll: pollMs } = this.#options;
    const watcher = watchFile(library.artifact, () => this.#changed(library, "changed on disk"), { pollMs });
    this.#closers.push(() => watcher.close());
  }

  #watchSources(): void {
    const { build, watch, poll: pollMs } = this.#options;
    if (build === null) return;
    const loop = this.#makeBuild(build);
    const results = new Set(this.#libraries.artifacts);
    const watcher = watchSources(watch, () => loop.request(), { pollMs, ignore: (path) => results.has(path) });
    this.#closers.push(() => watcher.close());
  }

  #makeBuild(command: string): BuildLoop {
    this.#build ??= new BuildLoop(command, process.cwd(), process.env, {
      onStarted: () => this.#say({ type: "build:started", command }),
      onFailed: ({ ms, exitCode, output }) => this.#say({ type: "build:failed", command, ms, exitCode, output }),
      onFinished: ({ ms }) => {
        this.#say({ type: "build:finished", command, ms });
        for (const library of this.#libraries.named()) this.#changed(library, "the build ended");
      },
    });
    return this.#build;
  }

  /** An artifact was written: it is taken as soon as what is under way has ended; several writes are taken once. */
  #changed(library: FollowedLibrary, reason: Reason): void {
    library.overtake.abort();
    library.overtake = new AbortController();
    if (library.pending) return;
    library.pending = true;
    this.#enqueue(async () => {
      library.pending = false;
      await this.#pipeline.take(library, reason);
    });
  }

  async #status(): Promise<void> {
    const ranges = await this.#connection.ask("ranges", {});
    const stacks = ranges.length === 0 ? [] : ((await this.#connection.target?.stacks(ranges)) ?? null);
    const status = await this.#connection.ask("status", { stacks });
    const libraries: StatusLibrary[] = [];
    for (const { library, functions } of status) {
      const followed = this.#libraries.get(library);
      const sources = await followed?.sources();
      const described = functions.map((f) => {
        const source = sources?.get(f.name);
        return { ...f, check: followed?.checkOf(f.name) ?? "unchecked", ...(source !== undefined && { source }) };
      });
      if (followed !== undefined) libraries.push(followed.status(described));
    }
    this.#say({ type: "status", libraries });
  }

  // Leaving -----------------------------------------------------------------------------------------------------------

  /** Whether the copies must stay: the running generation was left in place, or a debugger needs them. */
  async #leave(ending: Ending): Promise<boolean> {
    const target = this.#connection.target;
    if (target === null) throw new Error("the session has no target");
    this.#close();
    let last = ending;
    let released = { restored: false, kept: false };
    if (ending.kind === "asked") {
      await within(UNDER_WAY_MS, Promise.race([this.#queue, this.#gone]));
      if (!ending.keep) await within(UNDER_WAY_MS, Promise.race([this.#pipeline.restoreAll(), this.#gone]));
      released = await release(target, ending.keep);
      await letGo(target);
      if (this.#options.arrival.kind === "spawn" && !ending.keep) {
        const gone = this.#gone.then((g) => (g.kind === "exited" ? g.outcome : null));
        last = { ...ending, outcome: await stopHost(target, gone) };
      }
    }
    if (this.#launcher !== null && !released.kept) await endLauncher(this.#launcher.target, this.#launcher.gone);
    const outcome = outcomeOf(last);
    if (outcome !== null) this.#say({ type: "target:exited", ...outcome });
    let left: string | null = null;
    if (last.kind === "exited" && exitCodeOf(last, "attach") !== 0) {
      left = leavesCore(last.outcome) ? (this.#connection.folder?.leaveForDebugger() ?? null) : null;
      this.#error(
        errors.targetDied(target.pid, [last.reason, this.#connection.underWay ?? []].flat().join("; "), left),
      );
    }
    if (last.kind === "replaced") this.#error(errors.targetReplaced(target.pid, last.reason));
    if (last.kind === "lost") this.#error(errors.bridgeDied(target.pid, last.reason));
    this.#over = true;
    this.#say({ type: "session:ended", restored: released.restored, reason: ending.reason });
    return released.kept || left !== null;
  }

  /** A host that was started for a session which could not begin. */
  async #stopStarted(target: Target): Promise<void> {
    target.listen((event) => this.#hear(event));
    await stopHost(
      target,
      this.#gone.then(() => null),
    );
  }

  #close(): void {
    for (const close of this.#closers.splice(0)) close();
    this.#build?.close();
  }

  #hear(event: TargetEvent): void {
    switch (event.type) {
      case "output": {
        if (this.#over) return;
        const text = this.#decoders[event.stream].write(event.data);
        return text === "" ? undefined : this.#say({ type: "target:output", stream: event.stream, text });
      }
      case "agent":
        if (event.event.type === "library:found") return this.#found(event.event.library);
        return this.#note(event.event.level, { agent: event.event.text });
      case "agent-error":
        this.#note("debug", { stack: event.stack });
        return this.#error(errors.internal("the agent failed", event.text, this.#libraries.runsText));
      case "replaced": // while it may be a launcher the family sees what it has become
        return this.#search?.closed === false ? undefined : this.#finish({ kind: "replaced", reason: event.reason });
      case "exited":
      case "lost": {
        const { type: kind, ...how } = event;
        const gone = { kind, ...how } as Gone;
        if (gone.kind === "exited" && this.#search?.closed === false) this.#launcherEnd = gone;
        else this.#finish(gone);
      }
    }
  }

  #finish(gone: Gone): void {
    this.#go(gone);
    this.#end(gone);
  }

  // Small things ------------------------------------------------------------------------------------------------------

  #enqueue(job: () => Promise<void>): void {
    this.#queue = this.#queue.then(job).catch((error) => this.#failed(error, "a step of the session failed"));
  }

  #toTerminal(job: (target: Target) => Promise<void>): void {
    const target = this.#launcher?.target ?? this.#connection.target; // who was spawned has the terminal
    if (target === null || this.#options.arrival.kind !== "spawn") return; // an attached host has its own terminal
    this.#typed = this.#typed
      .then(() => job(target))
      .catch((error) => this.#failed(error, "the host's terminal could not be reached"));
  }

  #failed(error: unknown, attempted: string): void {
    // The end of the target or of the link is told once, at the end of the session.
    if (error instanceof HotpatchError && ["target-died", "bridge-died"].includes(error.report.code)) return;
    this.#note("debug", { stack: error instanceof Error ? error.stack : String(error) });
    this.#error(errors.reportOf(error, attempted, this.#libraries.runsText));
  }

  #warn(report: ErrorReport, library?: string): void {
    this.#say({ type: "warning", ...(library !== undefined && { library }), ...report });
  }

  #error(report: ErrorReport): void {
    this.#say({ type: "error", ...report });
  }
}
