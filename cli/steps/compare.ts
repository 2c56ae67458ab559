/** Step: what a switch does to each function, and whether it may. Pure. */
import type { RefusedMark } from "../../schemas/agent.js";
import type { FunctionResult, Override } from "../../schemas/event.js";
import { checkByName } from "../evidence/dwarf.js";
import { type Change, changesIn, type Verdict, type Verdicts } from "../evidence/verdict.js";

/** What to do with functions that would break their callers or their data. */
interface Leniency {
  /** They keep their bodies; the others are switched. */
  readonly partial: boolean;
  /** They are switched too. */
  readonly force: boolean;
}

/** Marked function -> hash of its code and what that refers to. */
export type Code = ReadonlyMap<string, string>;

const NO_VERDICTS: Verdicts = new Map();
const NOTHING_REACHED: ReadonlyMap<string, string> = new Map();
const STRICT: Leniency = { partial: false, force: false };

/** What a build is compared with, and what is tolerated. */
export interface Comparing {
  /** All functions the library has had. */
  readonly known: readonly string[];
  /** Those that the build speaks for: others are untouched and not told of. Null: all. */
  readonly scope?: ReadonlySet<string> | null;
  /** Code of the generation that runs; null where its file is gone. */
  readonly before: Code | null;
  readonly after: Code;
  /** Marks of the new build that cannot be patched. */
  readonly refused?: readonly RefusedMark[];
  /** The verdicts of comparing both builds. */
  readonly verdicts?: Verdicts;
  /** What has changed behind functions whose own code is the same, in words. */
  readonly reached?: ReadonlyMap<string, string>;
  readonly leniency?: Leniency;
}

/** Whether a build may be switched to, and what the switch does. */
export interface Compared {
  readonly functions: FunctionResult[];
  /** The objections: functions that can no longer be patched, and those that would break callers or data. */
  readonly lost: readonly RefusedMark[];
  readonly changes: ReadonlyMap<string, Change>;
  /** The option that allowed it nevertheless. */
  readonly override: Override | null;
  readonly fits: boolean;
}

export function compare(comparing: Comparing): Compared {
  const { known, scope = null, before, after, refused = [], verdicts = NO_VERDICTS, leniency = STRICT } = comparing;
  const { reached = NOTHING_REACHED } = comparing;
  const knownNames = new Set(known);
  const cannot = new Set(refused.map(({ name }) => name));
  const lost = refused.filter(({ name }) => knownNames.has(name));
  const changes = changesIn(verdicts);

  const resultOf = (name: string, code: string): FunctionResult => {
    const verdict = verdicts.get(name) ?? { check: checkByName(name), change: null };
    if (!knownNames.has(name)) return { name, status: "new", check: verdict.check };
    const isRefused = verdict.change !== null && !leniency.force;
    const status = isRefused ? "refused" : before?.get(name) === code ? "unchanged" : "switched";
    const reason = reasonOf(verdict, status === "switched" ? reached.get(name) : undefined);
    return { name, status, check: verdict.check, ...(reason !== null && { reason }) };
  };
  const unswitched = (name: string, status: "refused" | "missing", reason: string): FunctionResult => ({
    name,
    status,
    reason,
    check: checkByName(name),
  });
  const functions = [
    ...[...after].filter(([name]) => !cannot.has(name)).map(([name, code]) => resultOf(name, code)),
    ...refused.map(({ name, reason }) => unswitched(name, "refused", reason)),
    ...known
      .filter((name) => !after.has(name) && !cannot.has(name) && (scope === null || scope.has(name)))
      .map((name) => unswitched(name, "missing", KEPT)),
  ];
  return { functions, lost, changes, ...decide(functions, lost.length > 0, changes.size > 0, leniency) };
}

/** The status of functions that a switch leads to the new build. */
const GOES: ReadonlySet<FunctionResult["status"]> = new Set(["switched", "unchanged", "new"]);

/** @param isLost whether functions cannot be patched any more: `force` does not help with those */
function decide(
  functions: readonly FunctionResult[],
  isLost: boolean,
  isChanged: boolean,
  leniency: Leniency,
): Pick<Compared, "override" | "fits"> {
  if (!isLost && (!isChanged || leniency.force)) return { override: isChanged ? "force" : null, fits: true };
  const fits = leniency.partial && functions.some(({ status }) => GOES.has(status));
  return { override: fits ? "partial" : null, fits };
}

const KEPT = "not in this build: it keeps its old body";

/** @param reached why it is switched although its own code is the same; told last */
function reasonOf({ check, change, remarks = [], reason }: Verdict, reached: string | undefined): string | null {
  const unseen = reason === undefined || (remarks.length > 0 && check !== "partly") ? [] : [reason];
  const told = [...(change?.reasons ?? [...remarks, ...unseen]), ...(reached === undefined ? [] : [reached])];
  return told.length === 0 ? null : told.join("; ");
}

/**
 * Functions that are switched to although no jump fits at their start: calls from within this generation stay in it.
 */
export function withPlain(functions: readonly FunctionResult[], plain: readonly RefusedMark[]): FunctionResult[] {
  const reasons = new Map(plain.map(({ name, reason }) => [name, reason]));
  return withReasons(functions, reasons, (why) => `${why}; calls from within this generation stay in it`);
}

/** Functions that are switched because they share the entry of one that was requested. @param drawnIn name -> that one */
export function withDrawnIn(
  functions: readonly FunctionResult[],
  drawnIn: ReadonlyMap<string, string>,
): FunctionResult[] {
  return withReasons(functions, drawnIn, (requested) => `it has the entry of ${requested}, and is switched with it`);
}

/** Adds to what is told of some functions. */
export function withReasons(
  functions: readonly FunctionResult[],
  reasons: ReadonlyMap<string, string>,
  words: (reason: string) => string,
): FunctionResult[] {
  return functions.map((one) => {
    const why = reasons.get(one.name);
    if (why === undefined || one.status === "missing" || one.status === "refused") return one;
    const told = one.reason === undefined ? "" : `${one.reason}; `;
    return { ...one, reason: `${told}${words(why)}` };
  });
}
