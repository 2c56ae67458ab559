/**
 * A session, from arriving at a target to leaving it: which libraries are followed, and what starts the pipeline
 * (pipeline.ts) for each of them: a save -> build -> settle -> inspect -> compare -> prepare -> load -> switch.
 */
import { basename } from "node:path";
import { StringDecoder } from "node:string_decoder";
import type { AgentEvent, BeginAnswer, FoundLibrary } from "../../schemas/agent.js";
import type { Command } from "../../schemas/command.js";
import type { ErrorReport } from "../../schemas/error.js";
import type { UntimedEvent } from "../../schemas/event.js";
import { EXIT } from "../../schemas/exit.js";
import * as errors from "../errors.js";
import { HotpatchError, wordsOf } from "../errors.js";
import type { Backend, Target, TargetEvent } from "../frida/target.js";
import { Libraries } from "../library/libraries.js";
import { Chooser } from "../library/unmarked.js";
import { SessionLocks } from "../preflight/sessions.js";
import { settleTemp } from "../system/temp-folder.js";
import { Adoption } from "./adoption.js";
import { arrive, begin, enter } from "./arrive.js";
import { CopyFolder, sweepPlaces } from "./copy-folder.js";
import { type Ending, exitCodeOf, type Gone, leavesCore, outcomeOf } from "./exit-status.js";
import { HostTerminal } from "./host-terminal.js";
import { Launcher } from "./launcher.js";
import { whyNotFound } from "./not-found.js";
import type { Level, SessionOptions } from "./options.js";
import { Pipeline } from "./pipeline.js";
import { SerialQueue } from "./serial-queue.js";
import { letGo, type Released, release, stopHost, within } from "./shutdown.js";
import { statusOf } from "./status.js";
import { TargetConnection } from "./target-connection.js";
import { Triggers } from "./triggers.js";
import { VERSION } from "./version.js";

/** ms that work in progress may take once the end was requested. */
const UNDER_WAY_MS = 5000;

/** ms that a host has to load its libraries before the session warns that it has none. */
const NOTHING_MS = 5000;

export class Session {
  readonly #options: SessionOptions;
  readonly #say: (event: UntimedEvent) => void;
  readonly #note: (level: Level, entry: object) => void;
  readonly #libraries: Libraries;
  readonly #decoders = { stdout: new StringDecoder(), stderr: new StringDecoder(), tty: new StringDecoder() };
  readonly #connection = new TargetConnection();
  readonly #locks = new SessionLocks();
  readonly #pipeline: Pipeline;
  /** Everything that changes the target goes through here. */
  readonly #queue = new SerialQueue((error) => this.#failed(error, "a step of the session failed"));
  readonly #triggers: Triggers;
  readonly #adoption: Adoption;
  /** Until it is said that nothing was found. */
  #nothing: NodeJS.Timeout | undefined;
  /** Nothing is said after `session:ended`. */
  #over = false;
  #backend: Backend | null = null;
  readonly #launcher = new Launcher();
  /** Commands that came before the session was ready, which they wait for; null from then on. */
  #early: Command[] | null = [];
  #end: (ending: Ending) => void = () => {};
  readonly #ended: Promise<Ending>;
  /** The spawned host's; an attached one has its own. */
  readonly terminal = new HostTerminal(
    () => (this.#options.arrival.kind === "spawn" ? (this.#launcher.terminal ?? this.#connection.target) : null),
    (error) => this.#failed(error, "the host's terminal is out of reach"),
  );
  /** How the target, or the link to it, ended. */
  #go: (gone: Gone) => void = () => {};
  readonly #gone: Promise<Gone>;

  /**
   * @param say receives every event; may be called until `run` has resolved
   * @param elapsed ms since the session began
   * @param note receives what goes only to the log
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
    this.#triggers = new Triggers(options, this.#libraries, this.#queue, this.#pipeline, say);
    const { functions } = options;
    this.#adoption = new Adoption(functions, this.#libraries, this.#connection, this.#queue, this.#triggers, say);
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#gone = new Promise((resolve) => {
      this.#go = resolve;
    });
  }

  /** From arriving to leaving. Resolves with the exit code; rejects with a HotpatchError if it could not arrive. */
  async run(): Promise<number> {
    settleTemp();
    sweepPlaces();
    const { backend, target } = await this.#arrive().catch((error) => {
      this.#triggers.close();
      this.#locks.releaseAll();
      throw error;
    });
    this.#connection.target = target;
    this.#backend = backend;
    let ours = false; // not while another session is attached to the target
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
      // A target that keeps running its copies keeps their files; a later session removes them once it has exited.
      this.#connection.leaveFolders(kept ? null : ours);
      this.#locks.releaseAll();
    }
  }

  /** What the target runs, in words, after `run` has rejected. */
  get leftRunning(): string {
    if (this.#connection.target === null) return errors.UNTOUCHED;
    return this.#options.arrival.kind === "spawn" ? errors.ENDED : errors.LET_GO;
  }

  /** Executes a command from --json or a key, once the session is ready. Never throws: a failure is an event. */
  command(command: Command): void {
    if (this.#early !== null && command.command !== "end") return void this.#early.push(command);
    switch (command.command) {
      case "end":
        return this.end("asked to end", command.keep);
      case "build":
        if (!this.#triggers.requestBuild())
          this.#error(errors.badCommand('"build"', "no --build command was given", this.#libraries.runsText));
        return;
      case "reload":
        for (const library of this.#libraries.named(command.library)) this.#triggers.take(library, "asked to reload");
        return;
      case "rollback":
        return this.#queue.add(() => this.#pipeline.rollback(command.generation, command.library));
      case "preview":
        return this.#pipeline.preview(command.generation, command.library);
      case "status":
        return this.#queue.add(async () => {
          const libraries = await statusOf(this.#connection, this.#libraries);
          this.#say({ type: "status", libraries });
        });
    }
  }

  /** Ends the session once it is ready. `keep` absent: the --keep flag decides. */
  end(reason: string, keep = this.#options.keep): void {
    this.#end({ kind: "asked", reason, keep });
  }

  badCommand(line: string, detail: string): void {
    this.#error(errors.badCommand(line, detail, this.#libraries.runsText));
  }

  // Arriving ----------------------------------------------------------------------------------------------------------

  /** What is saved from here on is noticed, and built once the session is ready. */
  async #arrive(): Promise<{ backend: Backend; target: Target }> {
    this.#triggers.checkFolders();
    await this.#triggers.watchSources();
    await this.#triggers.buildMissing();
    return arrive(this.#options, this.#locks);
  }

  /** The agent adopts what is loaded, and from now on what appears. */
  #begin(target: Target, stopped: boolean): Promise<BeginAnswer> {
    const { functions, stage, arrival } = this.#options;
    const running = arrival.kind === "spawn" ? errors.ENDED : errors.LET_GO;
    return begin(target, running, {
      libraries: this.#libraries.wantedNames,
      unmarked: functions.length > 0,
      stage: stage ? (this.#connection.folder?.there ?? null) : null,
      stopped,
    });
  }

  /** The target runs; from here on events drive everything. */
  async #follow(target: Target, { host, libraries, marksInExecutable }: BeginAnswer): Promise<void> {
    if (marksInExecutable > 0) this.#warn(errors.marksInExecutable(host, marksInExecutable));
    for (const library of libraries) this.#found(library);
    // Unmarked functions are adopted while a spawned host is stopped at its entry point.
    if (this.#options.functions.length > 0) await this.#queue.idle;
    target.listen((event) => this.#hear(event));
    if (this.#options.arrival.kind === "spawn") {
      if (libraries.length === 0) this.#seekHost(target);
      await target.resume();
    }
    await Promise.race([this.#queue.idle, this.#gone]);
    this.#say({ type: "session:ready" });
    this.#triggers.open();
    for (const path of this.#libraries.notFound) {
      const report = whyNotFound(path, this.#connection.pid, basename(host), this.#options.functions.length === 0);
      // Of the executable's marks it was told above.
      if (report.code !== "marks-in-executable" || marksInExecutable === 0) this.#warn(report, basename(path));
    }
    this.#nothing = setTimeout(() => this.#warnOfNothing(basename(host)), NOTHING_MS);
    const early = this.#early ?? [];
    this.#early = null;
    for (const command of early) this.command(command);
  }

  #warnOfNothing(host: string): void {
    if (this.#options.library.length > 0 || this.#libraries.named().length > 0) return; // told of each, or found
    this.#warn(errors.nothingFollowed(host, this.#options.functions.length > 0));
  }

  /** A spawned program without a marked library may be a launcher: of what it starts, the first that has one is the host. */
  #seekHost(launcher: Target): void {
    const onHost = (pid: number, last: boolean) =>
      new Promise<boolean>((entered) => this.#queue.add(async () => entered(await this.#moveTo(pid, launcher, last))));
    this.#launcher.seekHost(launcher, this.#libraries.wantedNames, onHost, (exited) => this.#finish(exited));
  }

  /** Whether `pid` is the host from here on. `last`: there is no further attempt. */
  async #moveTo(pid: number, launcher: Target, last: boolean): Promise<boolean> {
    if (this.#backend === null || !this.#launcher.seeking) return false;
    let begun: BeginAnswer;
    try {
      const target = await enter(this.#backend, pid, this.#locks);
      await this.#connection.moveTo(target);
      begun = await this.#begin(target, false);
    } catch (error) {
      const detail = wordsOf(error);
      this.#note("debug", { pid, notEntered: detail });
      if (last) this.#warn(error instanceof HotpatchError ? error.report : errors.attachFailed(pid, detail));
      this.#connection.target = launcher;
      return false;
    }
    this.#say({ type: "target:followed", pid, host: basename(begun.host), from: launcher.pid });
    this.#connection.target?.listen((event) => this.#hear(event));
    if (pid !== launcher.pid) {
      await this.#launcher.leaveBehind(launcher, (event) => this.#hear(event));
      this.#locks.release(launcher.pid);
    }
    if (begun.marksInExecutable > 0) this.#warn(errors.marksInExecutable(begun.host, begun.marksInExecutable));
    for (const library of begun.libraries) this.#found(library);
    return true;
  }

  #found(library: FoundLibrary): void {
    this.#launcher.close();
    this.#adoption.found(library);
  }

  // Leaving -----------------------------------------------------------------------------------------------------------

  /** Whether the copies must stay: the running generation was left in place, or a debugger needs them. */
  async #leave(ending: Ending): Promise<boolean> {
    const target = this.#connection.target;
    if (target === null) throw new Error("the session has no target");
    this.#close();
    const { last, released } = await this.#letGo(ending, target);
    if (!released.kept) await this.#launcher.finish();
    const outcome = outcomeOf(last);
    if (outcome !== null) this.#say({ type: "target:exited", ...outcome });
    const left = this.#tellLoss(last, target.pid);
    this.#over = true;
    this.#say({
      type: "session:ended",
      restored: released.restored,
      reason: released.kept ? `${ending.reason}; ${this.#libraries.runsText} keeps running` : ending.reason,
    });
    return released.kept || left !== null;
  }

  /** Puts the host's own code back, or leaves what runs, where there is still a target; a spawned host is ended. */
  async #letGo(ending: Ending, target: Target): Promise<{ last: Ending; released: Released }> {
    if (ending.kind !== "asked") return { last: ending, released: { restored: false, kept: false } };
    const { keep } = ending;
    await within(UNDER_WAY_MS, Promise.race([this.#queue.idle, this.#gone]));
    if (!keep) await within(UNDER_WAY_MS, Promise.race([this.#pipeline.restoreAll(), this.#gone]));
    const released = await release(target, keep);
    await letGo(target);
    if (keep || this.#options.arrival.kind !== "spawn") return { last: ending, released };
    const gone = this.#gone.then((g) => (g.kind === "exited" ? g.outcome : null));
    return { last: { ...ending, outcome: await stopHost(target, gone) }, released };
  }

  /** That the target, or the link to it, has gone. Where copies were left for a debugger; null: nowhere. */
  #tellLoss(last: Ending, pid: number): string | null {
    if (last.kind === "replaced") this.#error(errors.targetReplaced(pid, last.reason));
    if (last.kind === "lost") this.#error(errors.bridgeDied(pid, last.reason));
    if (last.kind !== "exited" || exitCodeOf(last, "attach") === EXIT.done) return null;
    const left = leavesCore(last.outcome) ? (this.#connection.folder?.leaveForDebugger() ?? null) : null;
    const { underWay } = this.#connection;
    this.#error(errors.targetDied(pid, [last.reason, underWay ?? []].flat().join("; "), left));
    return left;
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
    clearTimeout(this.#nothing);
    this.#launcher.close();
    this.#triggers.close();
  }

  #hear(event: TargetEvent): void {
    switch (event.type) {
      case "output": {
        if (this.#over) return;
        const text = this.#decoders[event.stream].write(event.data);
        return text === "" ? undefined : this.#say({ type: "target:output", stream: event.stream, text });
      }
      case "agent":
        return this.#hearAgent(event.event);
      case "agent-error":
        this.#note("debug", { stack: event.stack });
        return this.#error(errors.internal("the agent failed", event.text, this.#libraries.runsText));
      case "replaced": // while it may be a launcher the family sees what it has become
        return this.#launcher.seeking ? undefined : this.#finish({ kind: "replaced", reason: event.reason });
      case "exited":
      case "lost": {
        const { type: kind, ...how } = event;
        const gone = { kind, ...how } as Gone;
        if (gone.kind === "exited" && this.#launcher.seeking) this.#launcher.ended(gone);
        else this.#finish(gone);
      }
    }
  }

  #hearAgent(event: AgentEvent): void {
    switch (event.type) {
      case "library:found":
        return this.#found(event.library);
      case "library:closed":
        return this.#warn(errors.closedAtOnce(basename(event.path)));
      case "log":
        return this.#note(event.level, { agent: event.text });
    }
  }

  #finish(gone: Gone): void {
    this.#go(gone);
    this.#end(gone);
  }

  // Small things ------------------------------------------------------------------------------------------------------

  #failed(error: unknown, attempted: string): void {
    // The end of the target or the connection is reported once, at the end of the session.
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
