/** Step: wait until an artifact is complete, and read it once. Knows nothing of what is in the file. */
import type { BigIntStats } from "node:fs";
import { open, stat } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { identityOf, whyTooLarge, writingOf } from "../system/file-identity.js";

export type Settled =
  /** `writing`: see `writingOf` in file-identity.ts. */
  | { readonly kind: "settled"; readonly bytes: Buffer; readonly writing: string }
  | { readonly kind: "incomplete"; readonly reason: string }
  | { readonly kind: "missing"; readonly reason: string }
  /** It is stable, but cannot be read. */
  | { readonly kind: "unfit"; readonly reason: string };

/** ms after which a file that keeps changing is abandoned until its next change. */
const RESTLESS_MS = 10_000;

const same = (a: BigIntStats, b: BigIntStats): boolean => identityOf(a) === identityOf(b);

/**
 * @param settleMs how long the file's identity must be stable before it is read; 0: it is known to be complete
 * @param signal aborts the wait when a newer change arrives; the result is then "incomplete"
 * @returns one consistent state of the file
 */
export async function settle(path: string, settleMs: number, signal?: AbortSignal): Promise<Settled> {
  const until = performance.now() + RESTLESS_MS;
  while (performance.now() < until) {
    const settled = await attempt(path, settleMs, signal);
    if (settled !== null) return settled;
  }
  return { kind: "incomplete", reason: `still being written after ${RESTLESS_MS / 1000} s` };
}

/** One time of rest, and one reading; null when the file changed meanwhile. */
async function attempt(path: string, settleMs: number, signal: AbortSignal | undefined): Promise<Settled | null> {
  const before = await statsOf(path);
  if (before === null) return missing(path);
  if (settleMs > 0) await wait(settleMs, undefined, signal && { signal }).catch(() => {}); // aborted: seen below
  if (signal?.aborted === true) return { kind: "incomplete", reason: "a newer change arrived" };
  const rested = await statsOf(path);
  if (rested === null) return missing(path);
  if (!same(before, rested)) return null;
  const settled = await read(path, rested);
  if (settled === null && settleMs === 0) return { kind: "incomplete", reason: "it changed while being read" };
  return settled;
}

/** Null when the file did not stay what it was. */
async function read(path: string, stats: BigIntStats): Promise<Settled | null> {
  const tooLarge = whyTooLarge(stats);
  if (tooLarge !== null) return { kind: "unfit", reason: tooLarge };
  try {
    const bytes = await readConsistently(path, stats);
    return bytes === null ? null : { kind: "settled", bytes, writing: writingOf(stats) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return missing(path);
    return { kind: "unfit", reason: `it cannot be read: ${message}` };
  }
}

const missing = (path: string): Settled => ({ kind: "missing", reason: `there is no file ${path}` });

async function statsOf(path: string): Promise<BigIntStats | null> {
  try {
    const stats = await stat(path, { bigint: true });
    return stats.isFile() ? stats : null;
  } catch {
    return null; // deleted meanwhile: the next change tells more
  }
}

/** The bytes; null if the file changed meanwhile. @throws the file system's own error */
async function readConsistently(path: string, stats: BigIntStats): Promise<Buffer | null> {
  const file = await open(path, "r");
  try {
    const bytes = await file.readFile();
    const after = await file.stat({ bigint: true });
    return same(stats, after) && BigInt(bytes.length) === after.size ? bytes : null;
  } finally {
    await file.close();
  }
}
