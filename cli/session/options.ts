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
  /** Names as the linker has them, too. */
  readonly verbose: boolean;
}

/** What `hotpatch inspect` is asked. */
export interface InspectOptions extends ReportOptions {
  /** Functions without marks to report on, as globs. */
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

/** Of what is logged. */
export type Level = "error" | "info" | "debug" | "trace";
