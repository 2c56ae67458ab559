/** What a command is asked, after flags and hotpatch.json have been merged. */
import type { Settings } from "../../schemas/settings.js";

export interface SessionOptions extends Settings {
  readonly arrival:
    | { readonly kind: "spawn"; readonly argv: readonly string[] }
    | { readonly kind: "attach"; readonly target: string };
}

/** How a report about files is shown. */
export interface ReportOptions {
  readonly json: boolean;
  /** Also show mangled names. */
  readonly verbose: boolean;
}

/** The settings of `hotpatch inspect` and `hotpatch diff`. */
export interface InspectOptions extends ReportOptions {
  /** Unmarked functions to report on, as globs. */
  readonly functions: readonly string[];
}

/** How the events are shown. */
export interface OutputOptions {
  readonly form: "json" | "plain" | "screen";
  /** NDJSON log file, absolute path. */
  readonly log: string | null;
  /** 0: quiet, 1: -v (stacks, debug), 2: -vv (trace). */
  readonly verbosity: number;
}

/** Of log entries. */
export type Level = "error" | "info" | "debug" | "trace";
