/** The NDJSON log of --log: events and what -v adds, with levels. Written at once, so that a crash loses nothing. */
import { appendFileSync } from "node:fs";
import { jsonText } from "./ui/json.js";

export type Level = "error" | "info" | "debug" | "trace";

const LEVELS: readonly Level[] = ["error", "info", "debug", "trace"];

export interface Log {
  write(level: Level, at: number, entry: object): void;
}

/** @param verbosity 0: error and info; 1: debug too; 2: all */
export function openLog(path: string | null, verbosity: number): Log {
  if (path === null) return { write: () => {} };
  const enabled = new Set(LEVELS.slice(0, 2 + verbosity));
  return {
    write(level, at, entry) {
      // Ours alone: with -vv it holds all that the target printed.
      if (enabled.has(level)) appendFileSync(path, `${jsonText({ level, at, ...entry })}\n`, { mode: 0o600 });
    },
  };
}
