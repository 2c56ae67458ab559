/** Exit codes. Source: docs/cli.md. A spawned host that ends by itself gives its own instead, or 128 and its signal. */
export const EXIT = {
  done: 0,
  /** Something of ours failed, or the link to the target broke; `inspect`: nothing to patch; `doctor`: something is missing. */
  failed: 1,
  usage: 2,
  /** No such process, no permission, a host that cannot be patched, a build that fails at the start. */
  cannotArrive: 3,
  noBackend: 4,
  targetDied: 5,
  /** `diff`. */
  wouldBeRefused: 6,
} as const;

/** Added to the number of a signal. */
export const SIGNAL_BASE = 128;
