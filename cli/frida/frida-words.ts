/** Tells Frida's failures apart by their wording, the same in both bindings: it has no codes for what we distinguish. */
import type { ErrorReport } from "../../schemas/error.js";
import { attachBusy, attachDenied, attachFailed, noSuchProcess } from "../errors.js";

/** The error for Frida's refusal to attach. */
export function attachRefused(pid: number, detail: string): ErrorReport {
  if (/unable to find process|no such process/i.test(detail)) return noSuchProcess(`pid ${pid}`, detail);
  if (/not permitted|permission|unable to access|ptrace_scope/i.test(detail)) return attachDenied(pid, detail);
  if (/traced by another|already being (traced|debugged)/i.test(detail)) return attachBusy(pid, detail);
  return attachFailed(pid, detail);
}

/** Whether Frida says that its script or session is gone. @param said its exception's class and message. */
export const saysGone = (said: string): boolean => /destroyed|detached|terminated|gone/i.test(said);
