/**
 * The story: a save -> build -> settle -> inspect -> compare -> prepare -> load -> switch, for every library in one
 * target, from arriving to leaving. Each step is one file in steps/; this file only says what follows what.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { AGENT_PROTOCOL, type AgentFailure, type FoundLibrary, type RefusedMark } from "../schemas/agent.js";
import type { Command } from "../schemas/command.js";
import type { ErrorReport } from "../schemas/error.js";
import type { FunctionResult, UntimedEvent } from "../schemas/event.js";
import { arrive } from "./arrive.js";
import { contentHash, readElf } from "./binary/elf.js";
import { type Ending, exitCodeOf, type Gone, outcomeOf } from "./ending.js";
import * as errors from "./errors.js";
import { HotpatchError } from "./errors.js";
import { FollowedLibrary } from "./followed.js";
import type { SessionOptions } from "./options.js";
import { providersOf } from "./providers.js";
import { BuildLoop } from "./steps/build.js";
import { checkOf, compare } from "./steps/compare.js";
import { makeFolder, removeFolder, startTimeOf, sweepFolders } from "./steps/folder.js";
import { type Inspected, inspect } from "./steps/inspect.js";
import { bindCandidates, editCopy, writeCopy } from "./steps/prepare.js";
import { settle } from "./steps/settle.js";
import { watchFile, watchSources } from "./steps/watch.js";
import { generationZero } from "./steps/zero.js";
import type { Backend, Outcome, Target, TargetEvent } from "./target/target.js";

/** ms a spawned host has between SIGTERM and SIGKILL. */
const TERM_GRACE_MS = 3000;

export class Session {
  readonly #options: SessionOptions;
  readonly #say: (event: UntimedEvent) => void;
  readonly #elapsed: () => number;
  readonly #libraries = new Map<string, FollowedLibrary>();
  readonly #closers: (() => void)[] = [];
  #target: Target | null = null;
  #build: BuildLoop | null = null;
  #folder: string | null = null;
  /** Everything that changes the target goes through here, one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #end: (ending: Ending) => void = () => {};
  readonly #ended: Promise<Ending>;
  /** How the target, or the link to it, ended. */
  readonly #gone: Promise<Gone>;
  #go: (gone: Gone) => void = () => {};
  #kept = false;

  /**
   * @param say takes every event; it may be called until `run` has resolved
   * @param elapsed ms since the session began
   */
  constructor(options: SessionOptions, say: (event: UntimedEvent) => void, elapsed: () => number) {
    this.#options = options;
    this.#say = say;
    this.#elapsed = elapsed;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#gone = new Promise((resolve) => {
      this.#go = resolve;
    });
  }

  /** From arriving to leaving. Resolves with the exit code; rejects with a HotpatchError when it could not arrive. */
  async run(): Promise<number> {
    sweepFolders();
    await this.#buildMissing();
    const { backend, target } = await arrive(this.#options);
    this.#target = target;
    try {
      await this.#begin(backend, target);
      return await this.#leave(target, await this.#ended);
    } finally {
      for (const close of this.#closers) close();
      await target.detach().catch(() => {}); // already gone: nothing left to detach from
      await backend.close();
      if (this.#folder !== null) removeFolder(this.#folder, this.#kept);
    }
  }

  /** Takes a command of --json or of a key. Never throws: a failure is an event. */
  command(command: Command): void {
    switch (command.command) {
      case "end":
        return this.end("asked to end", command.keep);
      case "build":
        if (this.#build === null)
          return this.#error(errors.badCommand('"build"', "there is no --build command", this.#runsText()));
        return this.#build.request();
      case "reload":
        for (const library of this.#named(command.library)) this.#changed(library, "asked to reload");
        return;
      case "rollback":
        return this.#enqueue(() => this.#rollback(command.generation, command.library));
      case "status":
        return this.#enqueue(() => this.#status());
    }
  }

  /** Ends the session once it is ready. `keep` absent: the --keep flag decides. */
  end(reason: string, keep = this.#options.keep): void {
    this.#end({ kind: "asked", reason, keep });
  }

  badCommand(line: string, detail: string): void {
    this.#error(errors.badCommand(line, detail, this.#runsText()));
  }

  // Arriving ----------------------------------------------------------------------------------------------------------

  /** The build runs at start only for an artifact that is not there. */
  async #buildMissing(): Promise<void> {
    const { build, libraries } = this.#options;
    const missing = libraries.find((path) => !existsSync(path));
    if (missing === undefined) return;
    if (build === null) throw new HotpatchError(errors.libraryNotFound(missing, "no such file"));
    const loop = this.#makeBuild(build);
    await loop.once();
    if (!existsSync(missing))
      throw new HotpatchError(errors.libraryNotFound(missing, `the build command ran and did not make it: ${build}`));
  }

  async #begin(backend: Backend, target: Target): Promise<void> {
    this.#folder = await makeFolder(target.pid, startTimeOf(target.pid), null);
    target.listen((event) => this.#hear(event));
    const begun = await target.call("begin", {
      protocol: AGENT_PROTOCOL,
      owner: process.pid,
      libraries: this.#wantedNames(),
    });
    if (!begun.ok)
      throw new HotpatchError(
        begun.error.code === "attach-busy"
          ? errors.attachBusy(target.pid, begun.error.detail)
          : errors.attachFailed(target.pid, begun.error.detail),
      );
    const { host, libraries, marksInExecutable } = begun.value;
    this.#say({
      type: "session:started",
      pid: target.pid,
      backend: backend.name,
      host: basename(host),
      version: backend.version,
    });
    if (marksInExecutable > 0) this.#warn(errors.marksInExecutable(host, marksInExecutable));
    for (const library of libraries) this.#found(library);
    if (this.#options.arrival.kind === "spawn") await target.resume();
    this.#watchSources();
    await this.#queue;
    this.#say({ type: "session:ready" });
    this.#warnOfMissing(basename(host));
  }

  /** File names and SONAMEs of the libraries asked for; null: all that have marks. */
  #wantedNames(): string[] | null {
    if (this.#options.libraries.length === 0) return null;
    return this.#options.libraries.flatMap((path) => [basename(path), sonameOf(path) ?? basename(path)]);
  }

  #found(found: FoundLibrary): void {
    const artifact =
      this.#options.libraries.find((path) => [basename(path), sonameOf(path)].includes(basename(found.path))) ??
      found.path;
    const library = new FollowedLibrary(found, artifact);
    this.#libraries.set(library.name, library);
    const zero = generationZero(this.#target?.pid ?? 0, found);
    const known = library.generations.get(0);
    if (known !== undefined && zero !== null)
      library.generations.set(0, { ...known, buildId: zero.buildId, hash: zero.hash, code: zero.code });
    this.#say({
      type: "library:found",
      library: library.name,
      path: found.path,
      generation: library.running,
      functions: found.functions.length,
      state: zero?.marks.stateRecords ?? 0,
      buildId: library.runs.buildId,
    });
    for (const mark of found.refused) this.#warn(refusedMark(mark, library), library.name);
    if (zero !== null && zero.marks.unnamedBytes > 0)
      this.#warn(errors.strippedMarks(library.name, zero.marks.unnamedBytes, library.runsText), library.name);
    if (this.#options.build === null)
      this.#closers.push(
        closer(watchFile(artifact, () => this.#changed(library, "changed on disk"), { pollMs: this.#options.pollMs })),
      );
    // What was built while nobody watched counts as the first change.
    if (existsSync(artifact) && differs(artifact, library)) this.#changed(library, "built before the session began");
  }

  #warnOfMissing(host: string): void {
    for (const path of this.#options.libraries) {
      if ([...this.#libraries.values()].some((l) => l.artifact === path)) continue;
      const running = "the host's own code";
      const inspection = existsSync(path) ? inspect(path, basename(path), readFileSync(path), running) : null;
      this.#warn(
        inspection?.kind === "unfit" ? inspection.report : errors.libraryNotLoaded(basename(path), host),
        basename(path),
      );
    }
  }

  // The flow ----------------------------------------------------------------------------------------------------------

  #makeBuild(command: string): BuildLoop {
    this.#build ??= new BuildLoop(command, process.cwd(), process.env, {
      onStarted: () => this.#say({ type: "build:started", command }),
      onFailed: ({ ms, exitCode, output }) => this.#say({ type: "build:failed", command, ms, exitCode, output }),
      onFinished: ({ ms }) => {
        this.#say({ type: "build:finished", command, ms });
        for (const library of this.#libraries.values()) this.#changed(library, "the build ended");
      },
    });
    return this.#build;
  }

  #watchSources(): void {
    const { build, watch, pollMs } = this.#options;
    if (build === null) return;
    const loop = this.#makeBuild(build);
    const artifacts = new Set([...this.#options.libraries, ...[...this.#libraries.values()].map((l) => l.artifact)]);
    const watcher = watchSources(watch, () => loop.request(), { pollMs, ignore: (path) => artifacts.has(path) });
    this.#closers.push(closer(watcher), () => loop.close());
  }

  /** An artifact was written: it is taken as soon as what is under way has ended; several writes are taken once. */
  #changed(library: FollowedLibrary, reason: string): void {
    library.overtake.abort();
    library.overtake = new AbortController();
    if (library.pending) return;
    library.pending = true;
    this.#enqueue(async () => {
      library.pending = false;
      await this.#take(library, reason);
    });
  }

  /** settle -> inspect -> compare -> prepare -> load -> switch. */
  async #take(library: FollowedLibrary, reason: string): Promise<void> {
    const { artifact: path, name } = library;
    const overtaken = library.overtake.signal;
    const complete = reason !== "changed on disk"; // a build's exit or the user says so: no waiting
    const settled = await settle(path, complete ? 0 : this.#options.settleMs, overtaken);
    if (overtaken.aborted) return; // a newer change is in the queue
    if (settled.kind !== "settled")
      return this.#say({ type: "artifact:incomplete", library: name, path, reason: settled.reason });
    const start = performance.now();

    const inspection = inspect(path, name, settled.bytes, library.runsText);
    if (inspection.kind === "incomplete")
      return this.#say({ type: "artifact:incomplete", library: name, path, reason: inspection.report.detail });
    if (inspection.kind === "unfit") return this.#refuse(library, inspection.report);
    const { artifact } = inspection;
    if (artifact.hash === library.runs.hash)
      return this.#say({
        type: "artifact:unchanged",
        library: name,
        path,
        reason: `the same bytes as generation ${library.running}, which runs`,
      });
    this.#say({ type: "artifact:changed", library: name, path, reason });

    const functions = compare([...library.functions], library.runs.code, artifact.code, artifact.refused);
    const [lost] = artifact.refused.filter((mark) => library.functions.has(mark.name));
    if (lost !== undefined) return this.#refuse(library, refusedMark(lost, library), functions);
    const copy = await this.#prepare(library, artifact);
    if (copy === null) return;
    const generation = library.next;
    const { loadTimeoutMs: timeoutMs } = this.#options;
    const { buildId, hash } = artifact;
    const marks = [...artifact.entries].map(([name, offset]) => ({ name, offset }));
    const loaded = await this.#call("load", { library: name, generation, path: copy, buildId, hash, marks, timeoutMs });
    if (!loaded.ok) {
      library.attempts += 1;
      return this.#refuse(library, loadError(loaded.error, library, generation), functions);
    }
    library.attempts = 0;
    this.#say({ type: "generation:loaded", library: name, generation, path: copy, ms: loaded.value.loadMs });
    library.generations.set(generation, {
      generation,
      at: this.#elapsed(),
      buildId,
      hash,
      code: artifact.code,
      functions: artifact.code.size,
    });
    for (const name of artifact.code.keys()) library.functions.add(name);
    await this.#switch(library, generation, functions, start, "artifact");
  }

  /** The path of a copy fit for this target, or null when that was refused. */
  async #prepare(library: FollowedLibrary, artifact: Inspected): Promise<string | null> {
    const names = bindCandidates(artifact.elf);
    const provided = await this.#call("providers", { library: library.name, names });
    if (!provided.ok) throw new Error(provided.error.detail);
    const own = providersOf(this.#target?.pid ?? 0, names, provided.value);
    const { bytes } = editCopy(artifact.bytes, artifact.elf, { bind: (name) => own.has(name) });
    try {
      return await writeCopy(this.#folder ?? "", library.name, library.next, library.attempts, bytes);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.#refuse(library, errors.copyFailed(library.artifact, detail, library.runsText));
      return null;
    }
  }

  async #switch(
    library: FollowedLibrary,
    generation: number,
    functions: FunctionResult[],
    start: number,
    why: "artifact" | "rollback" | "restore",
  ): Promise<void> {
    const switched = await this.#call("switchTo", { library: library.name, generation });
    if (!switched.ok) throw new Error(switched.error.detail);
    library.running = generation;
    this.#say({
      type: "generation:switched",
      library: library.name,
      generation,
      from: switched.value.from,
      functions,
      ms: round(performance.now() - start),
      why,
    });
  }

  async #rollback(generation: number, named: string | undefined): Promise<void> {
    const start = performance.now();
    const able = this.#named(named).filter((library) => library.generations.has(generation));
    if (able.length === 0) {
      const all = this.#named(named);
      const known = all.map((l) => `${l.name}: ${[...l.generations.keys()].join(", ")}`).join("; ") || "no library";
      const names = all.map((l) => l.name).join(", ") || named || "the target";
      return this.#error(errors.noSuchGeneration(names, generation, known, this.#runsText()));
    }
    for (const library of able) {
      const after = library.generations.get(generation)?.code;
      const functions =
        after == null
          ? [...library.functions].map((name) => ({ name, status: "switched" as const, check: checkOf(name) }))
          : compare([...library.functions], library.runs.code, after);
      await this.#switch(library, generation, functions, start, generation === 0 ? "restore" : "rollback");
    }
  }

  async #status(): Promise<void> {
    const status = await this.#call("status", {});
    if (!status.ok) throw new Error(status.error.detail);
    this.#say({
      type: "status",
      libraries: status.value.flatMap((answer) => {
        const library = this.#libraries.get(answer.library);
        return library === undefined
          ? []
          : [library.status(answer.functions.map((f) => ({ ...f, check: checkOf(f.name) })))];
      }),
    });
  }

  // Leaving -----------------------------------------------------------------------------------------------------------

  async #leave(target: Target, ending: Ending): Promise<number> {
    for (const close of this.#closers.splice(0)) close();
    this.#build?.close();
    let last = ending;
    let restored = false;
    if (ending.kind === "asked") {
      await Promise.race([this.#queue, this.#gone]);
      const answer = await target.call("end", { keep: ending.keep }).catch(() => null);
      restored = answer?.ok === true && answer.value.restored;
      this.#kept = answer?.ok === true && ending.keep;
      if (this.#options.arrival.kind === "spawn" && !ending.keep)
        last = { ...ending, outcome: await this.#stopHost(target) };
      else await target.detach();
    }
    const outcome = outcomeOf(last);
    if (outcome !== null) this.#say({ type: "target:exited", ...outcome });
    if (last.kind === "exited" && this.#options.arrival.kind === "attach" && exitCodeOf(last, "attach") !== 0)
      this.#error(errors.targetDied(target.pid, last.reason));
    if (last.kind === "lost") this.#error(errors.bridgeDied(target.pid, last.reason));
    this.#say({ type: "session:ended", restored, reason: ending.reason });
    return exitCodeOf(ending, this.#options.arrival.kind);
  }

  /** The host was started for this session: it ends with it. */
  async #stopHost(target: Target): Promise<Outcome> {
    await target.detach();
    signal(target.pid, "SIGTERM");
    const kill = setTimeout(() => signal(target.pid, "SIGKILL"), TERM_GRACE_MS);
    let give: NodeJS.Timeout | undefined;
    const tooLate = new Promise<null>((resolve) => {
      give = setTimeout(() => resolve(null), 2 * TERM_GRACE_MS);
    });
    const gone = await Promise.race([this.#gone, tooLate]);
    clearTimeout(kill);
    clearTimeout(give);
    return gone?.kind === "exited" ? gone.outcome : {};
  }

  #hear(event: TargetEvent): void {
    switch (event.type) {
      case "output":
        return this.#say({ type: "target:output", stream: event.stream, text: event.data.toString("utf8") });
      case "agent":
        if (event.event.type === "library:found") this.#found(event.event.library);
        return;
      case "agent-error":
        return this.#error(errors.internal("the agent failed", event.text, this.#runsText()));
      case "exited": {
        const ending: Gone = { kind: "exited", reason: event.reason, outcome: event.outcome };
        this.#go(ending);
        return this.#end(ending);
      }
      case "lost": {
        const ending: Gone = { kind: "lost", reason: event.reason };
        this.#go(ending);
        return this.#end(ending);
      }
    }
  }

  // Small things ------------------------------------------------------------------------------------------------------

  #enqueue(job: () => Promise<void>): void {
    this.#queue = this.#queue.then(job).catch((error: unknown) => {
      if (error instanceof HotpatchError && ["target-died", "bridge-died"].includes(error.report.code)) return;
      this.#error(errors.reportOf(error, "a step of the session failed", this.#runsText()));
    });
  }

  #call: Target["call"] = (method, argument) => {
    if (this.#target === null) throw new Error("the session has no target yet");
    return this.#target.call(method, argument);
  };

  #named(name: string | undefined): FollowedLibrary[] {
    return [...this.#libraries.values()].filter((l) => name === undefined || l.name === name);
  }

  #runsText(): string {
    const all = [...this.#libraries.values()].map((l) => l.runsText);
    return all.length === 0 ? "the host's own code" : all.join(", ");
  }

  #refuse(library: FollowedLibrary, report: ErrorReport, functions: FunctionResult[] = []): void {
    const { code, message, detail, hint } = report;
    const refused = functions.map((f) => ({ ...f, status: "refused" as const, reason: code }));
    this.#say({
      type: "generation:refused",
      library: library.name,
      code,
      message,
      detail,
      hint,
      functions: refused,
      running: library.running,
    });
  }

  #warn(report: ErrorReport, library?: string): void {
    this.#say({ type: "warning", ...(library !== undefined && { library }), ...report });
  }

  #error(report: ErrorReport): void {
    this.#say({ type: "error", ...report });
  }
}

const refusedMark = ({ name, code, reason }: RefusedMark, { runsText }: FollowedLibrary): ErrorReport =>
  (code === "ambiguous-name" ? errors.ambiguousName : errors.entryTooSmall)(name, reason, runsText);

function loadError(failure: AgentFailure, library: FollowedLibrary, generation: number): ErrorReport {
  const { code, detail } = failure;
  const { name, runsText } = library;
  switch (code) {
    case "load-failed":
      return errors.loadFailed(name, generation, detail, runsText);
    case "load-timeout":
      return errors.loadTimeout(name, generation, detail, runsText);
    case "no-marks":
      return errors.noMarks(name, runsText);
    case "ambiguous-name":
      return errors.ambiguousName(`a function of ${name}`, detail, runsText);
    case "entry-too-small":
      return errors.entryTooSmall(`a function of ${name}`, detail, runsText);
    default:
      return errors.internal(`generation ${generation} of ${name} could not be taken in`, detail, runsText);
  }
}

const round = (ms: number): number => Math.round(ms * 100) / 100;

const closer = (watcher: { close(): void }) => () => watcher.close();

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it has just ended: what was wanted
  }
}

function sonameOf(path: string): string | null {
  try {
    return readElf(readFileSync(path)).soname;
  } catch {
    return null; // not there or not an ELF: later steps say so
  }
}

/** Whether the artifact is something else than what runs; the content decides in `take`. */
function differs(artifact: string, library: FollowedLibrary): boolean {
  const { hash } = library.runs;
  return hash === null || contentHash(readFileSync(artifact)) !== hash;
}
