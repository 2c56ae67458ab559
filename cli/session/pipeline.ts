/**
 * The pipeline from a written artifact to running bodies, and back. Each step is one file in steps/; this file only
 * connects them. Knows nothing of arriving, watching and leaving.
 */
import { basename, join } from "node:path";
import type { AgentFailure } from "../../schemas/agent.js";
import type { ErrorReport } from "../../schemas/error.js";
import type { FunctionResult, Override, UntimedEvent } from "../../schemas/event.js";
import { contentHash } from "../binary/elf.js";
import * as errors from "../errors.js";
import { recorded } from "../evidence/record.js";
import type { Layouts } from "../layout/type.js";
import { partedAliases } from "../library/aliases.js";
import { lazy } from "../library/lazy.js";
import type { Libraries } from "../library/libraries.js";
import { type FollowedLibrary, NO_HOOKS } from "../library/library.js";
import { withOverrides } from "../library/overrides.js";
import { whatIsReached } from "../library/reached.js";
import { sourcesOf } from "../library/source-lines.js";
import { definersOf } from "../library/symbol-providers.js";
import { type Compared, compare, withDrawnIn, withPlain } from "../steps/compare.js";
import { layoutsOf } from "../steps/debug-info.js";
import { type Inspected, marksIn } from "../steps/inspect.js";
import { settle } from "../steps/settle.js";
import { isHeadless } from "../system/process-facts.js";
import type { GenerationMaker } from "./generation-maker.js";
import type { SessionOptions } from "./options.js";
import { agentError, changeError, lateHook, refusedFunctions, refusedMark, uncalledHook } from "./refusals.js";
import type { TargetConnection } from "./target-connection.js";
import { WholeLibrary } from "./whole-library.js";

/** Why an artifact is read. Only a file that changed by itself must settle: the others are known to be complete. */
export type Reason = "changed on disk" | "the build ended" | "asked to reload" | "built before the session began";

export class Pipeline {
  readonly #options: SessionOptions;
  readonly #libraries: Libraries;
  readonly #connection: TargetConnection;
  readonly #maker: GenerationMaker;
  readonly #say: (event: UntimedEvent) => void;
  readonly #elapsed: () => number;

  /**
   * @param say receives every event
   * @param elapsed ms since the session began
   */
  constructor(
    options: SessionOptions,
    libraries: Libraries,
    connection: TargetConnection,
    say: (event: UntimedEvent) => void,
    elapsed: () => number,
  ) {
    this.#options = options;
    this.#libraries = libraries;
    this.#connection = connection;
    this.#maker = new WholeLibrary(libraries, connection, options.force);
    this.#say = say;
    this.#elapsed = elapsed;
  }

  /** settle -> inspect -> compare -> prepare -> load -> switch. */
  async take(library: FollowedLibrary, reason: Reason): Promise<void> {
    const { artifact: path, name, overtake } = library;
    const overtaken = overtake.signal;
    const settled = await settle(path, reason === "changed on disk" ? this.#options.settle : 0, overtaken);
    if (overtaken.aborted) return; // a newer change is in the queue
    if (settled.kind === "unfit")
      return void this.#refuse(library, errors.artifactInvalid(path, settled.reason, library.runsText));
    if (settled.kind !== "settled")
      return this.#say({ type: "artifact:incomplete", library: name, path, reason: settled.reason });
    const { bytes, writing } = settled;
    // Cargo re-links its result when the next build begins: nothing was written, and everything was reported.
    if (
      reason === "changed on disk" &&
      library.judged?.writing === writing &&
      library.judged.hash === contentHash(bytes)
    )
      return;
    const start = performance.now();

    const inspection = this.#maker.inspect(library, bytes);
    library.judged = { writing, hash: inspection.kind === "fit" ? inspection.artifact.hash : contentHash(bytes) };
    if (inspection.kind === "incomplete")
      return this.#say({ type: "artifact:incomplete", library: name, path, reason: inspection.report.detail });
    if (inspection.kind === "unfit") return void this.#refuse(library, inspection.report);
    const { artifact } = inspection;
    if (artifact.hash === library.runs.hash) {
      const reason = `the same bytes as generation ${library.running}, which is running`;
      return this.#say({ type: "artifact:unchanged", library: name, path, reason });
    }
    this.#say({ type: "artifact:changed", library: name, path, reason });

    if (isHeadless(this.#connection.pid))
      return void this.#refuse(library, errors.headlessNow(library.name, library.runsText));
    if (artifact.code.size === 0) return void this.#refuse(library, this.#nothingIn(artifact, library));
    const layouts = layoutsOf(artifact, path);
    const compared = this.#compare(library, artifact, layouts);
    if (compared === null) return;

    const prepared = await this.#maker.prepare(library, artifact, layouts);
    if (prepared.kind === "refused") return void this.#refuse(library, prepared.report, compared.functions);
    const loaded = await this.#load(library, artifact, layouts, prepared.path, compared.functions);
    if (loaded !== null) await this.#switch(library, library.newest, loaded, start, "artifact", compared.override);
  }

  /** What the switch will do, or null if the build is refused. */
  #compare(library: FollowedLibrary, artifact: Inspected, layouts: Layouts): Compared | null {
    const { partial, force } = this.#options;
    const parted = partedAliases(library.aliases, artifact.entries, artifact.code);
    const compared = compare({
      known: [...library.functions],
      scope: this.#maker.scope(artifact),
      before: library.runs.code,
      after: artifact.code,
      refused: [...artifact.refused, ...artifact.choice.refused, ...parted],
      verdicts: library.judge(artifact.code, layouts, recorded(artifact.marks.records)),
      reached: whatIsReached(library.runs.meanings, artifact.meanings),
      leniency: { partial, force },
    });
    const { changes, lost, functions } = compared;
    if (compared.fits)
      return { ...compared, functions: withOverrides(functions, () => library.virtuals, artifact.virtuals) };
    const [mark] = lost;
    const report = mark === undefined ? changeError(changes, library) : refusedMark(mark, library);
    return this.#refuse(library, report, functions);
  }

  /** Why a build has no function that could be switched. */
  #nothingIn({ choice }: Inspected, library: FollowedLibrary): ErrorReport {
    const [first] = refusedFunctions([...choice.refused, ...library.unpatchable.values()], library);
    return first ?? errors.noMatch(library.name, this.#options.functions.join(" "), library.runsText);
  }

  /**
   * Loads and adopts the copy as the library's newest generation; nothing runs in it yet.
   * @returns `functions`, with what was found out about their entries; null if the copy was refused
   */
  async #load(
    library: FollowedLibrary,
    artifact: Inspected,
    layouts: Layouts,
    path: string,
    functions: readonly FunctionResult[],
  ): Promise<FunctionResult[] | null> {
    const { name, next: generation } = library;
    const { buildId, hash, meanings, entries, hooks, choice } = artifact;
    const records = recorded(artifact.marks.records);
    // A function that is left out keeps its body for all its callers except those inside this copy: they were built for
    // the copy's own, which therefore does not redirect through the table.
    const left = new Set(functions.filter(({ status }) => status === "refused").map((one) => one.name));
    const marks = marksIn(artifact).filter(({ name }) => !left.has(name));
    const unmarked = choice.functions.filter(({ name }) => !left.has(name));
    const code = new Map([...artifact.code].filter(([name]) => !left.has(name)));
    const timeoutMs = this.#options.loadTimeout;
    this.#connection.underWay = `generation ${generation} of ${name} was being loaded (${path}): a constructor of the copy, or of a library it depends on, may have killed it`;
    const loaded = await this.#connection.call("load", {
      library: name,
      generation,
      path,
      buildId,
      hash,
      marks,
      functions: unmarked,
      timeoutMs,
    });
    this.#connection.underWay = null;
    if (!loaded.ok) {
      library.attempts += 1;
      const report = this.#unlinked(loaded.error, library, generation);
      return this.#refuse(library, report ?? agentError(loaded.error, library, generation), functions);
    }
    this.#say({ type: "generation:loaded", library: name, generation, path, ms: loaded.value.loadMs });
    const known = {
      generation,
      at: this.#elapsed(),
      buildId,
      hash,
      code,
      meanings,
      records,
      hooks,
      functions: code.size,
    };
    const file = join(this.#connection.folder?.here ?? "", basename(path));
    const sources = lazy(() => sourcesOf(file, entries));
    library.add({ ...known, layouts: () => layouts, sources }, entries);
    for (const { name } of unmarked) library.unmarked.add(name);
    // A class that is new has new functions as a rule: other builds are not read for their vtables.
    if (functions.some(({ status }) => status === "new")) library.hasVirtuals(artifact.virtuals);
    return withPlain(withDrawnIn(functions, choice.drawnIn), loaded.value.plain);
  }

  /** Two libraries that call each other: the second one's copy cannot find what only the first one lists as needed. */
  #unlinked({ code, detail }: AgentFailure, library: FollowedLibrary, generation: number): ErrorReport | null {
    const [, symbol] = /undefined symbol: ([^\s,]+)/.exec(detail) ?? [];
    if (code !== "load-failed" || symbol === undefined) return null;
    const definers = definersOf(this.#connection.pid, symbol).filter((name) => name !== library.name);
    if (definers.length === 0) return null;
    return errors.loadUnlinked(library.name, generation, detail, definers, library.runsText);
  }

  async #switch(
    library: FollowedLibrary,
    generation: number,
    functions: FunctionResult[],
    start: number,
    why: "artifact" | "rollback" | "restore",
    override: Override | null = null,
  ): Promise<void> {
    const hooks = library.generations.get(generation)?.hooks ?? NO_HOOKS;
    const timeoutMs = this.#options.hookTimeout;
    this.#connection.underWay = `a switch of ${library.name} from generation ${library.running} to ${generation} was under way: its hooks, or the first calls of new bodies, may have killed it`;
    const switched = await this.#connection.call("switchTo", { library: library.name, generation, hooks, timeoutMs });
    this.#connection.underWay = null;
    if (!switched.ok) return void this.#refuse(library, agentError(switched.error, library, generation), functions);
    library.switched(generation, functions);
    const { from, late, uncalled } = switched.value;
    if (uncalled !== null) this.#say({ type: "warning", library: library.name, ...uncalledHook(library, uncalled) });
    if (late) this.#say({ type: "warning", library: library.name, ...lateHook(library, from, timeoutMs) });
    const ms = Math.round((performance.now() - start) * 100) / 100;
    const forced = override !== null && { override };
    this.#say({ type: "generation:switched", library: library.name, generation, from, functions, ms, why, ...forced });
  }

  async rollback(generation: number, named: string | undefined): Promise<void> {
    const start = performance.now();
    for (const library of this.#having(generation, named))
      await this.#switch(
        library,
        generation,
        library.changesTo(generation),
        start,
        generation === 0 ? "restore" : "rollback",
      );
  }

  /** What a rollback would do. */
  preview(generation: number, named: string | undefined): void {
    for (const library of this.#having(generation, named)) {
      const { name, running: from } = library;
      this.#say({ type: "preview", library: name, generation, from, functions: library.changesTo(generation) });
    }
  }

  /** The libraries that have this generation; reports an error if none has. */
  #having(generation: number, named: string | undefined): FollowedLibrary[] {
    const all = this.#libraries.named(named);
    const able = all.filter((library) => library.generations.has(generation));
    if (able.length === 0) {
      const known = all.map((l) => `${l.name}: ${[...l.generations.keys()].join(", ")}`).join("; ") || "no library";
      const names = all.map((l) => l.name).join(", ") || named || "the target";
      const report = errors.noSuchGeneration(names, generation, known, this.#libraries.runsText);
      this.#say({ type: "error", ...report });
    }
    return able;
  }

  /** Returns to the host's own code like any other switch, with hooks and events. */
  async restoreAll(): Promise<void> {
    for (const library of this.#libraries.named())
      if (library.running !== 0) await this.#switch(library, 0, library.changesTo(0), performance.now(), "restore");
  }

  /** Reports that the build is refused. Returns null, for steps that return a result. */
  #refuse(library: FollowedLibrary, report: ErrorReport, functions: readonly FunctionResult[] = []): null {
    const { code, message, detail, hint } = report;
    const refused = functions.map((f) => ({
      ...f,
      status: "refused" as const,
      reason: f.status === "refused" && f.reason !== undefined ? f.reason : code,
    }));
    const what = { library: library.name, functions: refused, running: library.running };
    this.#say({ type: "generation:refused", code, message, detail, hint, ...what });
    return null;
  }
}
