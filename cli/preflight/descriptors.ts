/**
 * Checks that a process has descriptors left for an agent. An agent that gets none hangs half-way in; one that takes
 * the last would make the host's own `open` and `accept` fail.
 */
import { readdirSync } from "node:fs";
import { tooFewDescriptors } from "../errors.js";
import { readProc } from "../system/proc.js";
import type { ProcessFacts } from "../system/process-facts.js";
import { type Finding, fine, problem } from "./finding.js";

/**
 * Frida keeps its descriptors above the first 32, and briefly fills those. Source: FileDescriptorTablePadder, Frida 17.
 */
const FILLED = 32;
/** Free descriptors required: twice what an attach takes (8 measured, Frida 17.26.2). */
const NEEDED = 16;

export function checkDescriptors({ pid }: ProcessFacts): Finding {
  const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readProc(`/proc/${pid}/limits`) ?? "")?.[1];
  if (limit === undefined) return fine("its descriptor limit cannot be read");
  if (limit === "unlimited") return fine("unlimited");
  let open: number;
  try {
    open = readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return fine("its descriptors cannot be counted"); // another check says why
  }
  const left = Number(limit) - Math.max(open, FILLED);
  if (left >= NEEDED) return fine(`${open} of ${limit} are open`);
  return problem(tooFewDescriptors(pid, open, Number(limit), FILLED + NEEDED, NEEDED));
}
