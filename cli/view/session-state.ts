/**
 * The state of a session, from its events: every number on the screen and in --plain's summary comes from here.
 * Pure: no clock, no I/O. Bounded: everything that grows with time has a limit.
 */
import type { SessionEvent } from "../../schemas/event.js";
import { EMPTY, feed, type Line, type Scrollback } from "../text/scrollback.js";
import { count, eventLines } from "./event-text.js";
import {
  attempted,
  foundLibrary,
  type LibraryState,
  refusedLibrary,
  switchedLibrary,
  unchangedLibrary,
  withStatus,
} from "./library-state.js";

type EventOf<T extends SessionEvent["type"]> = Extract<SessionEvent, { type: T }>;

/** Why the last save is not running. */
export type Problem =
  | {
      readonly kind: "build";
      readonly at: number;
      readonly command: string;
      readonly exitCode: number | null;
      readonly ms: number;
      /** The compiler's output. */
      readonly lines: readonly Line[];
    }
  | { readonly kind: "refused"; readonly at: number; readonly report: EventOf<"generation:refused"> };

/** How far the last save has got. */
type Save =
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
  /** Finished builds, newest last. */
  readonly builds: readonly Build[];
  readonly buildingSince: number | null;
  readonly save: Save;
  /** Stays until a later build or artifact arrives. */
  readonly problem: Problem | null;
  /** What a rollback would do, as last requested. */
  readonly preview: EventOf<"preview"> | null;
  readonly output: Scrollback;
  readonly log: readonly LogEntry[];
  /** The last warning or error unrelated to a save. */
  readonly notice: LogEntry | null;
  readonly totals: {
    readonly builds: number;
    readonly failed: number;
    readonly generations: number;
    readonly refused: number;
  };
  readonly exited: EventOf<"target:exited"> | null;
}

const KEPT = { builds: 200, log: 1000 } as const;
/** Characters of a log entry. */
const LONGEST_ENTRY = 2000;

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

function notTaken(state: SessionState, event: EventOf<"artifact:incomplete" | "artifact:unchanged">): SessionState {
  // The outcome for another library of the same build is more interesting.
  if (!["none", "building", "built", "taking"].includes(state.save.step)) return state;
  const step = event.type === "artifact:incomplete" ? "incomplete" : "unchanged";
  return { ...state, save: { step, at: event.at, library: event.library, reason: event.reason } };
}

function told(state: SessionState, event: Exclude<SessionEvent, { type: "target:output" }>): SessionState {
  const { at } = event;
  switch (event.type) {
    case "session:started": {
      const { host, pid, backend, version } = event;
      return { ...state, phase: "arrived", host, pid, backend: `${backend}, ${version}`, startedAt: at };
    }
    case "target:followed":
      return { ...state, host: event.host, pid: event.pid };
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
      return notTaken(state, event);
    case "artifact:unchanged": {
      const libraries = state.libraries.map((one) => (one.name === event.library ? unchangedLibrary(one) : one));
      return notTaken({ ...state, libraries }, event);
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

/** One library's refusal stays visible until that library, or a new build, succeeds. */
const isRefusedElsewhere = ({ problem }: SessionState, library: string): boolean =>
  problem?.kind === "refused" && problem.report.library !== library;

const lastOf = <T>(items: readonly T[], kept: number): readonly T[] =>
  items.length > kept ? items.slice(-kept) : items;

function logged(state: SessionState, event: Exclude<SessionEvent, { type: "target:output" }>): SessionState {
  if (event.type === "status" || event.type === "preview") return state; // answers, shown where they were requested
  const level =
    event.type === "error" || event.type === "generation:refused" || event.type === "build:failed"
      ? "error"
      : event.type === "warning"
        ? "warning"
        : "info";
  const entries = eventLines(event).map(
    (text): LogEntry => ({ at: event.at, level, text: text.slice(0, LONGEST_ENTRY) }),
  );
  return { ...state, log: lastOf([...state.log, ...entries], KEPT.log) };
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

const update = (state: SessionState, name: string, change: (library: LibraryState) => LibraryState): SessionState => ({
  ...state,
  libraries: state.libraries.map((library) => (library.name === name ? change(library) : library)),
});

function switched(state: SessionState, event: EventOf<"generation:switched">): SessionState {
  const { at, generation, library: name, ms, why } = event;
  const fromBuild = why === "artifact";
  const keepsFailure = fromBuild && isRefusedElsewhere(state, name);
  const save: Save = fromBuild
    ? { step: "arrived", at, library: name, generation, liveMs: ms }
    : { step: "moved", at, library: name, generation, why };
  const { totals } = state;
  const next = update(state, name, (library) => switchedLibrary(library, event));
  return {
    ...next,
    save: keepsFailure ? state.save : save,
    preview: state.preview?.library === name ? null : state.preview,
    totals: { ...totals, generations: totals.generations + (fromBuild ? 1 : 0) },
  };
}

function refused(state: SessionState, event: EventOf<"generation:refused">): SessionState {
  const { at } = event;
  const problem: Problem = { kind: "refused", at, report: event };
  const next = update(state, event.library, (library) => refusedLibrary(library, event));
  const { totals } = state;
  return {
    ...next,
    problem,
    save: { step: "failed", at, problem },
    totals: { ...totals, refused: totals.refused + 1 },
  };
}

/** The final line: builds, generations and refusals of the session. */
export function summary({ totals, libraries, builds }: SessionState): string {
  const last = builds.at(-1);
  return [
    `in this session: ${count(totals.builds, "build")} (${totals.failed} failed${last === undefined ? "" : `, the last took ${Math.round(last.ms)} ms`})`,
    `${count(totals.generations, "new generation")}, ${totals.refused} refused`,
    ...libraries.map((l) => `${l.name} has ${count(l.generations.length, "generation")}`),
  ].join("; ");
}
