/** What the agent or an artifact's own bytes refuse, in the catalogue's words. Pure. */
import type { AgentFailure, RefusedMark } from "../schemas/agent.js";
import type { ErrorReport } from "../schemas/error.js";
import * as errors from "./errors.js";
import type { FollowedLibrary } from "./followed.js";

/** A marked function that cannot be patched. */
export const refusedMark = ({ name, code, reason }: RefusedMark, { runsText }: FollowedLibrary): ErrorReport =>
  (code === "ambiguous-name" ? errors.ambiguousName : errors.entryTooSmall)(name, reason, runsText);

/** A copy that was not taken in. */
export function loadError(failure: AgentFailure, library: FollowedLibrary, generation: number): ErrorReport {
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
