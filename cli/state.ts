/**
 * What a session has come to, from its events: every number on the screen and in --plain's summary comes from here.
 * Pure: no clock, no I/O. Bounded: everything that grows with time has a limit.
 */
import type { Check, FunctionResult, FunctionStatus, SessionEvent } from "../schemas/event.js";
import { EMPTY, feed, type Line, type Scrollback } from "./text/scrollback.js";
import { eventLines } from "./wording.js";

type EventOf<T extends SessionEvent["type"]> = Extract<SessionEvent, { type: T }>;

/** Times are `at`s: ms since the session began. */
export interface FunctionState {
  /** As its library spells it. */
  readonly name: string;
  readonly library: string;
  /** Whose body it runs. */
  readonly generation: number;
  /** What the last change did to it; "adopted" before the first. */
  readonly status: FunctionStatus | "adopted";
  readonly check: Check | null;
  readonly reason: string | null;
  /** Since when this body runs. */
  readonly since: number;
  /** When something else than "unchanged" was last said of it. */
  readonly changedAt: number;
  readonly oldThreads: number | null;
  /** "file:line" */
  readonly source: string | null;
}

/** What happened to a library, in order. `changed` leaves out the unchanged functions. */
export type Attempt =
  | {
      readonly kind: "generation";
      readonly generation: number;
      readonly at: number;
      /** From the complete artifact to the switch. */
      readonly liveMs: number | null;
      readonly changed: Changed;
    }
  | { readonly kind: "moved"; readonly generation: number; readonly at: number; readonly changed: Changed }
  | { readonly kind: "refused"; readonly code: string; readonly at: number; readonly changed: Changed }
  | { readonly kind: "build-failed"; readonly at: number };
export type Changed = ReadonlyMap<string, FunctionResult>;

export interface LibraryState {
  readonly name: string;
  readonly path: string;
  readonly running: number;
  readonly since: number;
  /** Known from the start, unlike the functions' names. */
  readonly count: number;
  readonly functions: ReadonlyMap<string, FunctionState>;
  /** Generations that can be run, ascending. */
  readonly generations: readonly number[];
  readonly attempts: readonly Attempt[];
}

/** Why the last save does not run. */
export type Problem =
  | {
      readonly kind: "build";
      readonly at: number;
      readonly command: string;
      readonly exitCode: number | null;
      readonly ms: number;
      /** The compiler's own. */
      readonly lines: readonly Line[];
    }
  | { readonly kind: "refused"; readonly at: number; readonly report: EventOf<"generation:refused"> };

/** How far the last save has come. */
export type Save =
  | { readonly step: "none" | "building" | "built"; readonly at: number }
  | {
      readonly step: "taking" | "incomplete" | "unchanged";
      readonly at: number;
      readonly library: string;
      readonly reason: string;
    }
  | {
      readonly step: "arrived";
      readonly at: number;
      readonly library: string;
      readonly generation: number;
      readonly liveMs: number;
    }
  | {
      readonly step: "moved";
      readonly at: number;
      readonly library: string;
      readonly generation: number;
      readonly why: string;
    }
  | { readonly step: "failed"; readonly at: number; readonly problem: Problem };

export interface Build {
  readonly at: number;
  readonly ms: number;
  readonly ok: boolean;
}

export interface LogEntry {
  readonly at: number;
  readonly level: "info" | "warning" | "error";
  readonly text: string;
}

export interface SessionState {
  readonly phase: "arriving" | "arrived" | "ready" | "ended";
  readonly host: string;
  readonly pid: number | null;
  readonly backend: string;
  readonly startedAt: number;
  readonly libraries: readonly LibraryState[];
  /** Ended builds, newest last. */
  readonly builds: readonly Build[];
  readonly buildingSince: number | null;
  readonly save: Save;
  /** Stays until a later build or artifact arrives. */
  readonly problem: Problem | null;
  /** What a rollback would do, as last asked for. */
  readonly preview: EventOf<"preview"> | null;
  readonly output: Scrollback;
  readonly log: readonly LogEntry[];
  /** The last warning or error that is not about a save. */
  readonly notice: LogEntry | null;
  readonly totals: {
    readonly builds: number;
    readonly failed: number;
    readonly generations: number;
    readonly refused: number;
  };
  readonly exited: EventOf<"target:exited"> | null;
}

const KEPT = { attempts: 200, builds: 200, log: 1000 } as const;

export const START: SessionState = {
  phase: "arriving",
  host: "",
  pid: null,
  backend: "",
  startedAt: 0,
  libraries: [],
  builds: [],
  buildingSince: null,
  save: { step: "none", at: 0 },
  problem: null,
  preview: null,
  output: EMPTY,
  log: [],
  notice: null,
  totals: { builds: 0, failed: 0, generations: 0, refused: 0 },
  exited: null,
};

export function reduce(state: SessionState, event: SessionEvent): SessionState {
  if (event.type === "target:output") return { ...state, output: feed(state.output, event.text) };
  return told(logged(state, event), event);
}

function told(state: SessionState, event: Exclude<SessionEvent, { type: "target:output" }>): SessionState {
  const { at } = event;
  switch (event.type) {
    case "session:started": {
      const { host, pid, backend, version } = event;
      return { ...state, phase: "arrived", host, pid, backend: `${backend}, ${version}`, startedAt: at };
    }
    case "session:ready":
      return { ...state, phase: "ready" };
    case "library:found":
      return { ...state, libraries: [...state.libraries, foundLibrary(event)] };
    case "build:started":
      return { ...state, buildingSince: at, save: { step: "building", at } };
    case "build:finished": {
      const totals = { ...state.totals, builds: state.totals.builds + 1 };
      return { ...built(state, { at, ms: event.ms, ok: true }), totals, problem: null, save: { step: "built", at } };
    }
    case "build:failed":
      return buildFailed(state, event);
    case "artifact:changed":
      if (isRefusedElsewhere(state, event.library)) return state;
      return { ...state, problem: null, save: { step: "taking", at, library: event.library, reason: event.reason } };
    case "artifact:incomplete":
    case "artifact:unchanged": {
      // What another library of the same build has come to is the better news.
      if (!["none", "building", "built", "taking"].includes(state.save.step)) return state;
      const step = event.type === "artifact:incomplete" ? "incomplete" : "unchanged";
      return { ...state, save: { step, at, library: event.library, reason: event.reason } };
    }
    case "generation:switched":
      return switched(state, event);
    case "generation:refused":
      return refused(state, event);
    case "status":
      return { ...state, libraries: state.libraries.map((library) => withStatus(library, event)) };
    case "preview":
      return { ...state, preview: event };
    case "target:exited":
      return { ...state, exited: event };
    case "session:ended":
      return { ...state, phase: "ended" };
    case "warning":
    case "error": {
      const [detail = ""] = event.detail.split("\n");
      return { ...state, notice: { at, level: event.type, text: `${event.message}: ${detail}` } };
    }
    case "generation:loaded":
      return state;
  }
}

/** The refusal of one library stays in sight until that library, or a new build, has better news. */
const isRefusedElsewhere = ({ problem }: SessionState, library: string): boolean =>
  problem?.kind === "refused" && problem.report.library !== library;

const lastOf = <T>(items: readonly T[], kept: number): readonly T[] =>
  items.length > kept ? items.slice(-kept) : items;

function logged(state: SessionState, event: Exclude<SessionEvent, { type: "target:output" }>): SessionState {
  if (event.type === "status" || event.type === "preview") return state; // answers, shown where they were asked for
  const level =
    event.type === "error" || event.type === "generation:refused" || event.type === "build:failed"
      ? "error"
      : event.type === "warning"
        ? "warning"
        : "info";
  const entries = eventLines(event).map((text): LogEntry => ({ at: event.at, level, text }));
  return { ...state, log: lastOf([...state.log, ...entries], KEPT.log) };
}

function foundLibrary({
  at,
  library: name,
  path,
  generation,
  functions: count,
}: EventOf<"library:found">): LibraryState {
  const found: Attempt = { kind: "generation", generation, at, liveMs: null, changed: new Map() };
  const generations = generation === 0 ? [0] : [0, generation];
  return { name, path, running: generation, since: at, count, functions: new Map(), generations, attempts: [found] };
}

function built(state: SessionState, build: Build): SessionState {
  return { ...state, buildingSince: null, builds: lastOf([...state.builds, build], KEPT.builds) };
}

function buildFailed(state: SessionState, event: EventOf<"build:failed">): SessionState {
  const { at, command, exitCode, ms } = event;
  const { lines, current } = feed(EMPTY, event.output.trimEnd());
  const problem: Problem = { kind: "build", at, command, exitCode, ms, lines: [...lines, current] };
  const { totals } = state;
  return {
    ...built(state, { at, ms, ok: false }),
    totals: { ...totals, builds: totals.builds + 1, failed: totals.failed + 1 },
    libraries: state.libraries.map((library) => attempted(library, { kind: "build-failed", at })),
    problem,
    save: { step: "failed", at, problem },
  };
}

const attempted = (library: LibraryState, attempt: Attempt): LibraryState => ({
  ...library,
  attempts: lastOf([...library.attempts, attempt], KEPT.attempts),
});

const update = (state: SessionState, name: string, change: (library: LibraryState) => LibraryState): SessionState => ({
  ...state,
  libraries: state.libraries.map((library) => (library.name === name ? change(library) : library)),
});

/** What is told of each function by its own result: `shared` is a reason that all have, which says nothing of one. */
const changedIn = (functions: readonly FunctionResult[], shared: string | null): Changed =>
  new Map(
    functions
      .filter((f) => f.status !== "unchanged" && (shared === null || f.reason !== shared))
      .map((f) => [f.name, f]),
  );

function switched(state: SessionState, event: EventOf<"generation:switched">): SessionState {
  const { at, generation, library: name, ms, why } = event;
  const fromBuild = why === "artifact";
  const keepsFailure = fromBuild && isRefusedElsewhere(state, name);
  const save: Save = fromBuild
    ? { step: "arrived", at, library: name, generation, liveMs: ms }
    : { step: "moved", at, library: name, generation, why };
  const { totals } = state;
  const next = update(state, name, (library) => {
    const changed = changedIn(event.functions, null);
    const attempt: Attempt = fromBuild
      ? { kind: "generation", generation, at, liveMs: ms, changed }
      : { kind: "moved", generation, at, changed };
    const functions = new Map(library.functions);
    for (const result of event.functions)
      functions.set(result.name, afterSwitch(functions.get(result.name), result, event));
    const generations = [...new Set([...library.generations, generation])].sort((a, b) => a - b);
    const count = Math.max(library.count, functions.size);
    return attempted({ ...library, running: generation, since: at, functions, generations, count }, attempt);
  });
  return {
    ...next,
    save: keepsFailure ? state.save : save,
    preview: null,
    totals: { ...totals, generations: totals.generations + (fromBuild ? 1 : 0) },
  };
}

/** A missing function keeps the body it had; `status` tells when that was another one. */
function afterSwitch(
  before: FunctionState | undefined,
  { name, status, check, reason }: FunctionResult,
  { at, generation, library, from }: EventOf<"generation:switched">,
): FunctionState {
  const keeps = status === "missing" || status === "refused";
  return {
    name,
    library,
    generation: keeps ? (before?.generation ?? from) : generation,
    status,
    check,
    reason: reason ?? null,
    since: keeps ? (before?.since ?? at) : at,
    changedAt: status === "unchanged" ? (before?.changedAt ?? 0) : at,
    oldThreads: null,
    source: before?.source ?? null,
  };
}

function refused(state: SessionState, event: EventOf<"generation:refused">): SessionState {
  const { at, code, library: name } = event;
  const problem: Problem = { kind: "refused", at, report: event };
  const changed = changedIn(event.functions, code);
  const next = update(state, name, (library) => {
    const functions = new Map(library.functions);
    for (const { name, status, check, reason } of event.functions) {
      const before = functions.get(name);
      if (before === undefined) continue; // a new function of a build that was not taken
      const changedAt = changed.has(name) ? at : before.changedAt;
      functions.set(name, { ...before, status, check, reason: reason ?? null, changedAt });
    }
    return attempted({ ...library, functions }, { kind: "refused", code, at, changed });
  });
  const { totals } = state;
  return {
    ...next,
    problem,
    save: { step: "failed", at, problem },
    totals: { ...totals, refused: totals.refused + 1 },
  };
}

function withStatus(library: LibraryState, event: EventOf<"status">): LibraryState {
  const said = event.libraries.find((l) => l.library === library.name);
  if (said === undefined) return library;
  const functions = new Map(library.functions);
  for (const { name, generation, check, oldThreads, source = null } of said.functions) {
    const before = functions.get(name);
    const fresh = {
      name,
      library: library.name,
      status: "adopted",
      reason: null,
      since: library.since,
      changedAt: 0,
    } as const;
    functions.set(name, { ...(before ?? fresh), generation, check, oldThreads, source });
  }
  const known = said.generations.map((g) => g.generation).sort((a, b) => a - b);
  return {
    ...library,
    functions,
    running: said.generation,
    generations: known,
    count: Math.max(library.count, functions.size),
  };
}

/** One line for the end: how often the code was changed, and what runs. */
export function summary({ totals, libraries, builds }: SessionState): string {
  const { builds: all, failed, generations, refused } = totals;
  const last = builds.at(-1);
  return [
    `in this session: ${all} builds (${failed} failed${last === undefined ? "" : `, the last took ${Math.round(last.ms)} ms`})`,
    `${generations} new generations, ${refused} refused`,
    ...libraries.map((l) => `${l.name} has had ${l.generations.length}`),
  ].join("; ");
}
