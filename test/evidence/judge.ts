/** What the engine says of two builds. The only file of the campaign that knows the engine. */
import { diffLibraries } from "../../cli/commands/diff.js";
import { HotpatchError } from "../../cli/errors.js";

/** What is said of a pair as a whole. */
export interface Judgement {
  /** Why the switch would be refused, of whatever function or variable; null if it would not. */
  readonly refused: string | null;
  /** The weakest evidence of all functions and variables that both builds have. */
  readonly check: string;
  /** What is remarked nevertheless. */
  readonly remarks: string;
}

/** From the strongest to the weakest; what is not here is weaker still. */
const CHECKS: readonly string[] = ["dwarf", "record", "partly", "mangled", "unchecked"];
const weakness = (check: string): number => (CHECKS.includes(check) ? CHECKS.indexOf(check) : CHECKS.length);

/** Whether the engine claims to have seen all. */
export const isSeen = (check: string): boolean => check === "dwarf" || check === "record";

/** A variable of the report, as later versions may have it. */
interface Variable {
  readonly name: string;
  readonly status: string;
  readonly changes: readonly string[];
  readonly check?: string;
}

/** Judges two libraries as `hotpatch diff` does. */
export function judge(before: string, after: string): Judgement {
  try {
    const report = diffLibraries(before, after);
    const state: readonly Variable[] = report.state;
    const missing = report.functions.filter(({ status }) => status === "missing");
    const functions = report.functions.filter(({ status }) => status !== "missing" && status !== "new");
    const kept = state.filter(({ status }) => status === "kept" || status === "changed");
    // A variable that is told as kept, and no more, is told as checked.
    const checks = [...functions.map(({ check }) => check), ...kept.map(({ check = "dwarf" }) => check)];
    const [weakest = "unchecked"] = checks.sort((a, b) => weakness(b) - weakness(a));
    const refusal = report.refused === null ? null : `${report.refused.code}: ${report.refused.detail}`;
    return {
      // Old callers stay with the old body, which is as safe as a refusal.
      refused: refusal ?? (missing.length === 0 ? null : `missing: ${missing.map(({ name }) => name).join(", ")}`),
      check: weakest,
      remarks: functions.flatMap(({ reason }) => (reason === undefined ? [] : [reason])).join("; "),
    };
  } catch (error) {
    if (error instanceof HotpatchError)
      return { refused: `${error.report.code}: ${error.report.detail}`, check: "unchecked", remarks: "" };
    throw error;
  }
}
