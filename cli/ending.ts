/** How a session ends, and the exit code that says so. Pure. */
import { constants } from "node:os";

export type Ending =
  | {
      readonly kind: "asked";
      readonly reason: string;
      readonly keep: boolean;
      readonly exitCode?: number;
      readonly signal?: string;
    }
  | { readonly kind: "exited"; readonly reason: string; readonly exitCode?: number; readonly signal?: string }
  | { readonly kind: "lost"; readonly reason: string };

const UNKNOWN_DEATH = 5;
const LINK_LOST = 1;
const SIGNAL_BASE = 128;

/** What `target:exited` says, or null when the target lives on. */
export function outcomeOf(ending: Ending): { exitCode?: number; signal?: string; reason?: string } | null {
  if (ending.kind === "lost") return null;
  if (ending.exitCode !== undefined) return { exitCode: ending.exitCode };
  if (ending.signal !== undefined) return { signal: ending.signal };
  return ending.kind === "exited" ? { reason: ending.reason } : null;
}

/** The tool's exit code. Source: docs/cli.md. */
export function exitCodeOf(ending: Ending, arrival: "spawn" | "attach"): number {
  if (ending.kind === "asked") return 0;
  if (ending.kind === "lost") return LINK_LOST;
  if (arrival === "attach") return ending.exitCode === undefined ? UNKNOWN_DEATH : 0;
  if (ending.exitCode !== undefined) return ending.exitCode;
  const number = (constants.signals as Record<string, number>)[ending.signal ?? ""];
  return number === undefined ? UNKNOWN_DEATH : SIGNAL_BASE + number;
}
