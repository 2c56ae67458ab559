/** The state of one library of the target, from the session's events. Pure and bounded, like session-state.ts. */
import type { Check, FunctionResult, FunctionStatus, SessionEvent } from "../../schemas/event.js";

type EventOf<T extends SessionEvent["type"]> = Extract<SessionEvent, { type: T }>;

/** Times are `at`s: ms since the session began. */
export interface FunctionState {
  /** As its library spells it. */
  readonly name: string;
  readonly library: string;
  /** The generation whose body it runs. */
  readonly generation: number;
  /** What the last change did to it; "adopted" before the first. */
  readonly status: FunctionStatus | "adopted";
  readonly check: Check | null;
  readonly reason: string | null;
  /** Since when this body runs. */
  readonly since: number;
  /** When its status was last something other than "unchanged". */
  readonly changedAt: number;
  readonly oldThreads: number | null;
  /** "file:line" */
  readonly source: string | null;
}

/** What happened to a library, in order. `changed` omits unchanged functions; null if too old to be kept. */
export type Attempt =
  | {
      readonly kind: "generation";
      readonly generation: number;
      readonly at: number;
      /** ms from the complete artifact to the switch. */
      readonly liveMs: number | null;
      readonly changed: Changed | null;
    }
  | { readonly kind: "moved"; readonly generation: number; readonly at: number; readonly changed: Changed | null }
  | { readonly kind: "refused"; readonly code: string; readonly at: number; readonly changed: Changed | null }
  | { readonly kind: "build-failed"; readonly at: number };
type Changed = ReadonlyMap<string, FunctionResult>;

export interface LibraryState {
  readonly name: string;
  readonly path: string;
  readonly running: number;
  readonly since: number;
  /** Number of functions, known from the start, unlike their names. */
  readonly count: number;
  readonly functions: ReadonlyMap<string, FunctionState>;
  /** What refused builds have overwritten in `functions`; null if nothing. */
  readonly accepted: ReadonlyMap<string, FunctionState> | null;
  /** Generations that can be switched to, ascending. */
  readonly generations: readonly number[];
  readonly attempts: readonly Attempt[];
}

/** Attempts kept, and results in all of them: a header that everything includes changes every function at each save. */
const KEPT = { attempts: 200, results: 50_000 } as const;

export function foundLibrary(event: EventOf<"library:found">): LibraryState {
  const { at, library: name, path, generation, functions: count } = event;
  const found: Attempt = { kind: "generation", generation, at, liveMs: null, changed: new Map() };
  const generations = generation === 0 ? [0] : [0, generation];
  return {
    name,
    path,
    running: generation,
    since: at,
    count,
    functions: new Map(),
    accepted: null,
    generations,
    attempts: [found],
  };
}

export function attempted(library: LibraryState, attempt: Attempt): LibraryState {
  let results = 0;
  const attempts = [...library.attempts.slice(1 - KEPT.attempts), attempt]
    .reverse()
    .map((one): Attempt => {
      if (one.kind === "build-failed" || one.changed === null) return one;
      results += one.changed.size;
      return results > KEPT.results && one.changed.size > 0 ? { ...one, changed: null } : one;
    })
    .reverse();
  return { ...library, attempts };
}

export function switchedLibrary(library: LibraryState, event: EventOf<"generation:switched">): LibraryState {
  const { at, generation, ms: liveMs, why } = event;
  const changed = changedIn(event.functions, null);
  const functions = new Map(library.functions);
  for (const result of event.functions)
    functions.set(result.name, afterSwitch(functions.get(result.name), result, event));
  const generations = ascending([...library.generations, generation]);
  const count = Math.max(library.count, functions.size);
  const next = { ...library, running: generation, since: at, functions, accepted: null, generations, count };
  return attempted(
    next,
    why === "artifact"
      ? { kind: "generation", generation, at, liveMs, changed }
      : { kind: "moved", generation, at, changed },
  );
}

/** A missing function keeps its old body; `status` corrects that if it was another one. */
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

export function refusedLibrary(library: LibraryState, event: EventOf<"generation:refused">): LibraryState {
  const { at, code } = event;
  const changed = changedIn(event.functions, code);
  const functions = new Map(library.functions);
  for (const { name, status, check, reason } of event.functions) {
    const before = functions.get(name);
    if (before === undefined) continue; // a new function of a refused build
    const changedAt = changed.has(name) ? at : before.changedAt;
    functions.set(name, { ...before, status, check, reason: reason ?? null, changedAt });
  }
  const accepted = library.accepted ?? library.functions;
  return attempted({ ...library, functions, accepted }, { kind: "refused", code, at, changed });
}

/** The artifact is again what runs: what a refused build said about functions no longer applies. */
export function unchangedLibrary(library: LibraryState): LibraryState {
  if (library.accepted === null) return library;
  const functions = new Map(library.functions);
  for (const [name, { status, check, reason, changedAt }] of library.accepted) {
    const now = functions.get(name);
    if (now !== undefined) functions.set(name, { ...now, status, check, reason, changedAt });
  }
  return { ...library, functions, accepted: null };
}

export function withStatus(library: LibraryState, event: EventOf<"status">): LibraryState {
  const said = event.libraries.find((l) => l.library === library.name);
  if (said === undefined) return library;
  const { name, since } = library;
  const functions = new Map(library.functions);
  for (const { name: symbol, generation, check, oldThreads, source = null } of said.functions) {
    const fresh = { name: symbol, library: name, status: "adopted", reason: null, since, changedAt: 0 } as const;
    functions.set(symbol, { ...(functions.get(symbol) ?? fresh), generation, check, oldThreads, source });
  }
  const generations = ascending(said.generations.map((g) => g.generation));
  return {
    ...library,
    functions,
    running: said.generation,
    generations,
    count: Math.max(library.count, functions.size),
  };
}

const ascending = (numbers: readonly number[]): number[] => [...new Set(numbers)].sort((a, b) => a - b);

/** The individual results of functions: `shared` is a reason common to all, which says nothing about any one. */
const changedIn = (functions: readonly FunctionResult[], shared: string | null): Changed =>
  new Map(
    functions
      .filter((f) => f.status !== "unchanged" && (shared === null || f.reason !== shared))
      .map((f) => [f.name, f]),
  );
