/** How a session ends, and the resulting exit code. Pure. */
import { constants } from "node:os";
import { EXIT, SIGNAL_BASE } from "../../schemas/exit.js";
import type { Outcome } from "../frida/target.js";

/** How the target, or the connection to it, ended. */
export type Gone =
  | { readonly kind: "exited"; readonly reason: string; readonly outcome: Outcome }
  | { readonly kind: "lost"; readonly reason: string }
  /** It lives on as another program. */
  | { readonly kind: "replaced"; readonly reason: string };

/** Why a session ends. `outcome` of a requested end: that of the spawned host, which was ended with it. */
export type Ending =
  | { readonly kind: "asked"; readonly reason: string; readonly keep: boolean; readonly outcome?: Outcome }
  | Gone;

/** Signals whose default action writes a core dump. Source: signal(7). */
const CORE_SIGNALS = new Set(
  "SIGQUIT SIGILL SIGABRT SIGFPE SIGSEGV SIGBUS SIGSYS SIGTRAP SIGXCPU SIGXFSZ SIGIOT".split(" "),
);

/** Whether a process with this end may have left a core dump; also true if its end is unknown. */
export const leavesCore = ({ exitCode, signal }: Outcome): boolean =>
  signal === undefined ? exitCode === undefined : CORE_SIGNALS.has(signal);

/** The outcome for `target:exited`, or null if the target lives on. */
export function outcomeOf(ending: Ending): (Outcome & { reason?: string }) | null {
  if (ending.kind === "lost" || ending.kind === "replaced" || ending.outcome === undefined) return null;
  const known = ending.outcome.exitCode !== undefined || ending.outcome.signal !== undefined;
  return known ? ending.outcome : { reason: ending.reason };
}

/** The tool's exit code. Source: docs/cli.md. */
export function exitCodeOf(ending: Ending, arrival: "spawn" | "attach"): number {
  if (ending.kind === "asked") return EXIT.done;
  if (ending.kind === "lost" || ending.kind === "replaced") return EXIT.failed;
  const { exitCode, signal } = ending.outcome;
  if (arrival === "attach") return exitCode === undefined ? EXIT.targetDied : EXIT.done;
  if (exitCode !== undefined) return exitCode;
  const number = (constants.signals as Record<string, number>)[signal ?? ""];
  return number === undefined ? EXIT.targetDied : SIGNAL_BASE + number;
}
