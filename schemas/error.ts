/** Error codes, and the one form of a failure between processes, for scripts and on the screen. */
import { z } from "zod";

/** Stable; each has a function in cli/errors.ts and a heading in docs/errors.md. */
export const ErrorCode = z.enum([
  "no-such-process",
  "ambiguous-process",
  "attach-denied",
  "attach-busy",
  "static-host",
  "musl-host",
  "sanitized-host",
  "wrong-architecture",
  "no-backend",
  "library-not-found",
  "library-not-loaded",
  "no-marks",
  "artifact-incomplete",
  "artifact-invalid",
  "load-failed",
  "load-timeout",
  "hook-timeout",
  "signature-changed",
  "layout-changed",
  "ambiguous-name",
  "entry-too-small",
  "entry-unsafe",
  "untrusted-build",
  "no-match",
  "stripped-marks",
  "build-failed",
  "rebuild-loop",
  "polled-folder",
  "no-such-generation",
  "bad-command",
  "bad-config",
  "untrusted-config",
  "target-died",
  "target-replaced",
  "bridge-died",
  "copy-failed",
  "unsafe-folder",
  "marks-in-executable",
  "stopped-process",
  "sandboxed-host",
  "too-few-descriptors",
  "unsupported-host",
  "mapped-artifact",
  "spawn-failed",
  "attach-failed",
  "usage",
  "log-lost",
  "internal",
]);
export type ErrorCode = z.infer<typeof ErrorCode>;

/** The five parts of every error. */
export const ErrorReport = z.object({
  code: ErrorCode,
  /** What was attempted, on what. One sentence. */
  message: z.string(),
  /** Why: the lower layer's own words. */
  detail: z.string(),
  /** What the target runs now. */
  running: z.string(),
  /** What to do. */
  hint: z.string(),
});
export type ErrorReport = z.infer<typeof ErrorReport>;
