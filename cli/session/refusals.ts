/** Turns refusals by the agent, or by an artifact's own bytes, into error reports. Runs c++filt for names. */
import { HOOKS } from "../../schemas/abi.js";
import type { AgentFailure, RefusedMark } from "../../schemas/agent.js";
import type { ErrorReport } from "../../schemas/error.js";
import * as errors from "../errors.js";
import { type Cause, causesOf } from "../evidence/causes.js";
import type { Change } from "../evidence/verdict.js";
import { demangle } from "../library/demangle.js";
import type { FollowedLibrary } from "../library/library.js";
import type { Claim } from "../steps/state.js";

const { before: BEFORE, after: AFTER } = HOOKS;

/** Names in one report. */
const SHOWN = 6;
const some = (names: readonly string[]): string =>
  names.slice(0, SHOWN).join(", ") + (names.length > SHOWN ? ` and ${names.length - SHOWN} more functions` : "");

/** What a report says about a library. */
type ReportSubject = Pick<FollowedLibrary, "name" | "runsText" | "loadedFrom">;

/** The switch has happened; its after-hook has not returned. */
export const lateHook = (library: FollowedLibrary, from: number, timeoutMs: number): ErrorReport =>
  errors.hookTimeout(
    library.name,
    AFTER,
    `${AFTER}(${from}, ${library.running}) took longer than ${timeoutMs} ms; the switch itself is complete`,
    library.runsText,
  );

/** The switch has happened, without its after-hook. */
export const uncalledHook = (library: FollowedLibrary, reason: string): ErrorReport =>
  errors.hookUncalled(library.name, AFTER, `${reason}; the switch itself is complete`, library.runsText);

/** Changes in one report. */
const SHOWN_CHANGES = 12;

/** Functions whose callers or data were built for something else. */
export function changeError(changes: ReadonlyMap<string, Change>, { name, runsText }: ReportSubject): ErrorReport {
  const causes = causesOf(changes);
  const shown = causes.slice(0, SHOWN_CHANGES);
  const reached = [...new Set(shown.flatMap(({ functions }) => functions.slice(0, SHOWN)))];
  const people = new Map(demangle(reached).map((text, i) => [reached[i] ?? "", text]));
  // Changes that reach the same functions stand below one another.
  const textOf = ({ functions }: Cause) => some(functions.map((one) => people.get(one) ?? one));
  const lines = shown.map((cause, i) => {
    const before = shown[i - 1];
    const same = before !== undefined && before.functions.join() === cause.functions.join();
    return same ? `  ${cause.change}` : `${textOf(cause)}: ${cause.change}`;
  });
  if (causes.length > shown.length) lines.push(`and ${causes.length - shown.length} more changes`);
  const signature = [...changes.values()].some(({ code }) => code === "signature-changed");
  return (signature ? errors.signatureChanged : errors.layoutChanged)(name, lines.join("\n"), runsText);
}

/** Live data that the new build would misuse. @param changed the differences, if it is not the name */
export function stateError(claim: Claim, changed: readonly string[], { name, runsText }: ReportSubject): ErrorReport {
  if (claim.kind === "ambiguous")
    return errors.ambiguousName(`state ${claim.name}`, `two variables of ${name} have this name`, runsText);
  return errors.layoutChanged(name, demangle(changed).join("\n"), runsText);
}

/** A function that cannot be patched, or records that cannot be read. */
export function refusedMark(
  { name, code, reason, cure = "" }: RefusedMark,
  { loadedFrom, runsText }: ReportSubject,
): ErrorReport {
  switch (code) {
    case "unknown-version":
      return errors.artifactInvalid(loadedFrom, reason, runsText);
    case "ambiguous-name":
      return errors.ambiguousName(name, reason, runsText);
    case "entry-too-small":
      return errors.entryTooSmall(name, reason, runsText);
    case "entry-unsafe":
      return errors.entryUnsafe(name, reason, runsText);
    case "untrusted-build":
      return errors.untrustedBuild(name, reason, runsText, cure);
  }
}

/** Functions that cannot be patched: one report each, but a single one for all built in the same untrusted way. */
export function refusedFunctions(refused: readonly RefusedMark[], library: FollowedLibrary): ErrorReport[] {
  const alike = new Map<string, RefusedMark[]>();
  for (const one of refused) {
    const key = one.code === "untrusted-build" ? one.reason : `${one.code} ${one.name}`;
    alike.set(key, [...(alike.get(key) ?? []), one]);
  }
  return [...alike.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const names = [first, ...others].map((one) => one.name);
    return refusedMark({ ...first, name: some(names) }, library);
  });
}

/**
 * glibc's words for a mapping that the kernel refused; not those for thread-local storage, which raising limits does
 * not help.
 */
const NO_MEMORY = /cannot (map|allocate memory\b(?! in static))|failed to map|cannot create shared object descriptor/;

/** A copy that was not adopted, or not switched to. */
export function agentError(failure: AgentFailure, library: FollowedLibrary, generation: number): ErrorReport {
  const { code, detail } = failure;
  const { name, runsText } = library;
  switch (code) {
    case "load-failed":
      return (NO_MEMORY.test(detail) ? errors.noRoom : errors.loadFailed)(name, generation, detail, runsText);
    case "hook-timeout":
      return errors.hookTimeout(name, BEFORE, detail, runsText);
    case "no-room":
      return errors.noRoom(name, generation, detail, runsText);
    case "load-timeout":
      return errors.loadTimeout(name, generation, detail, runsText);
    case "no-marks":
      return errors.noMarks(name, runsText);
    case "ambiguous-name":
      return errors.ambiguousName(`a function of ${name}`, detail, runsText);
    case "entry-too-small":
      return errors.entryTooSmall(`a function of ${name}`, detail, runsText);
    default:
      return errors.internal(`generation ${generation} of ${name} could not be adopted`, detail, runsText);
  }
}
