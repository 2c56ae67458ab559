/** Why an artifact of --library is followed by nothing yet: it is no library, has no marks, or is not loaded. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { ErrorReport } from "../../schemas/error.js";
import * as errors from "../errors.js";
import { inspect } from "../steps/inspect.js";
import { isSameFile, readWhole } from "../system/file-identity.js";

const RUNNING = "the host's own code";

/**
 * @param host file name of what the target runs
 * @param marksOnly whether a library needs marks: with --functions it does not
 */
export function whyNotFound(path: string, pid: number, host: string, marksOnly: boolean): ErrorReport {
  const notLoaded = errors.libraryNotLoaded(basename(path), host);
  if (!existsSync(path)) return notLoaded;
  try {
    const inspection = inspect(path, basename(path), readWhole(path), RUNNING);
    if (inspection.kind !== "unfit") return notLoaded;
    const { report } = inspection;
    if (isSameFile(path, `/proc/${pid}/exe`))
      return { ...report, detail: `it is what pid ${pid} runs; ${report.detail}` };
    return marksOnly || !["no-marks", "stripped-marks"].includes(report.code) ? report : notLoaded;
  } catch (error) {
    return errors.artifactInvalid(path, errors.wordsOf(error), RUNNING);
  }
}
