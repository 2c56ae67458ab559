/**
 * The NDJSON log of --log: events and what -v adds, with levels. Written immediately, so that a crash loses nothing.
 */
import { openSync, writeSync } from "node:fs";
import { release } from "node:os";
import type { ErrorReport } from "../../schemas/error.js";
import { HotpatchError, logLost, usage, wordsOf } from "../errors.js";
import type { Level } from "../session/options.js";
import { VERSION } from "../session/version.js";
import { jsonText } from "../ui/json.js";

const LEVELS: readonly Level[] = ["error", "info", "debug", "trace"];

export interface Log {
  write(level: Level, at: number, entry: object): void;
}

const SILENT: Log = { write: () => {} };

/**
 * A log that can no longer be written (disk full) is abandoned; the session continues.
 * @param verbosity 0: error and info; 1: debug too; 2: all
 * @param onLost called once
 * @throws HotpatchError usage if the file cannot be opened
 */
export function openLog(path: string | null, verbosity: number, onLost: (report: ErrorReport) => void): Log {
  if (path === null) return SILENT;
  const file = opened(path);
  const enabled = new Set(LEVELS.slice(0, 2 + verbosity));
  let lost = false;
  return {
    write(level, at, entry) {
      if (lost || !enabled.has(level)) return;
      try {
        writeSync(file, `${jsonText({ level, at, ...entry })}\n`);
      } catch (error) {
        lost = true;
        onLost(logLost(path, wordsOf(error)));
      }
    },
  };
}

/** The first entry of each run. */
export const logStarted = (): object => ({
  type: "log:started",
  hotpatch: VERSION,
  node: process.version,
  kernel: release(),
});

function opened(path: string): number {
  try {
    return openSync(path, "a", 0o600); // private: with -vv it contains everything the target printed
  } catch (error) {
    const why = wordsOf(error);
    throw new HotpatchError(usage(`cannot write the log ${path}`, why), error);
  }
}
