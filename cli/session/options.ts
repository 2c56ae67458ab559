/** The settings of one session, after flags and hotpatch.json have been merged. */
import type { Leniency } from "../steps/compare.js";

export interface SessionOptions {
  readonly arrival:
    | { readonly kind: "spawn"; readonly argv: readonly string[] }
    | { readonly kind: "attach"; readonly target: string };
  /** Artifacts to follow, absolute paths; empty: every module with marks, at the path it was loaded from. */
  readonly libraries: readonly string[];
  /** Names of functions that are patched without a mark, as globs. */
  readonly functions: readonly string[];
  readonly build: string | null;
  /** Source folders, absolute paths. */
  readonly watch: readonly string[];
  readonly settleMs: number;
  readonly pollMs: number | null;
  /** Folder of the spawned host, absolute. */
  readonly cwd: string;
  /** Complete environment of the spawned host. */
  readonly env: Readonly<Record<string, string>>;
  readonly keep: boolean;
  /** What a build that would be refused may do all the same. */
  readonly leniency: Leniency;
  /** Whether libraries that no thread uses yet are taken off the file that the build writes. */
  readonly stage: boolean;
  readonly backend: "auto" | "native" | "python";
  /** ms after which a copy's load is given up. */
  readonly loadTimeoutMs: number;
  /** ms that a library's before- or after-switch hook may take. */
  readonly hookTimeoutMs: number;
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
