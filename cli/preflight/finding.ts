/** What a check found: preflight throws from it, and `hotpatch doctor` shows it. */
import type { ErrorReport } from "../../schemas/error.js";

/** All is well; `says` describes what was found. */
export interface Fine {
  readonly ok: true;
  readonly says: string;
}

/** Attach or spawn would refuse. */
export interface Problem {
  readonly ok: false;
  readonly problem: ErrorReport;
}

/** A property of the machine that attach and spawn do not check, but that makes them fail or do less. */
export interface Lack {
  readonly ok: false;
  readonly lack: string;
  readonly cure: string;
  /** Whether nothing works without it. */
  readonly needed: boolean;
}

export type Finding = Fine | Problem;

export const fine = (says: string): Fine => ({ ok: true, says });
export const problem = (report: ErrorReport): Problem => ({ ok: false, problem: report });
export const lacking = (lack: string, cure: string, needed: boolean): Lack => ({ ok: false, lack, cure, needed });
