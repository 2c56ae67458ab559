/** What a check found: the one shape that preflight throws from and `hotpatch doctor` shows. */
import type { ErrorReport } from "../../schemas/error.js";

export type Finding =
  | { readonly ok: true /** What is there, in words. */; readonly says: string }
  | { readonly ok: false; readonly problem: ErrorReport };

export const fine = (says: string): Finding => ({ ok: true, says });
export const problem = (report: ErrorReport): Finding => ({ ok: false, problem: report });
