/** Whether what the engine says of a pair is right. */
import { isSeen, type Judgement } from "./judge.js";
import type { Expectation } from "./pairs/pair.js";

/**
 * `false-accept`: harmful, and told as checked. `false-refusal`: harmless, and refused. `unseen`: harmful and not refused,
 * but told as not checked. `hiding`: harmless, but told as not checked. `crash`: the engine failed.
 */
export type Verdict = "right" | "false-accept" | "false-refusal" | "unseen" | "hiding" | "crash" | "does-not-build";

/** What a judgement of a pair is worth. */
export function verdictOf(expect: Expectation, { refused, check }: Judgement): Verdict {
  if (expect === "same") {
    if (refused !== null) return "false-refusal";
    return isSeen(check) ? "right" : "hiding";
  }
  if (refused !== null) return "right";
  if (isSeen(check)) return "false-accept";
  return expect === "not-seen" ? "right" : "unseen";
}
