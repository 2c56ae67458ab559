/** Which parts of a frame change with time alone. Pure. */
import type { SessionState } from "../view/session-state.js";
import { NOTICE_MS } from "./KeyBar.js";
import { age } from "./units.js";

/**
 * Whether anything in a frame except its clock may read differently at `now` than at `then`, both ms since the session
 * began. In a quiet session, consecutive frames differ only in the clock for minutes on end.
 */
export function hasAged(state: SessionState, then: number, now: number): boolean {
  const { save, notice } = state;
  if (save.step === "building" || save.step === "taking") return true;
  if (notice !== null && then - notice.at < NOTICE_MS !== now - notice.at < NOTICE_MS) return true;
  const differs = (at: number): boolean => age(then - at) !== age(now - at);
  return differs(save.at) || timesOf(state.libraries).some(differs);
}

/** By a state's libraries, which stay the same object while nothing happens. */
const known = new WeakMap<SessionState["libraries"], readonly number[]>();

function timesOf(libraries: SessionState["libraries"]): readonly number[] {
  const before = known.get(libraries);
  if (before !== undefined) return before;
  const times = new Set<number>();
  for (const { since, functions, accepted, attempts } of libraries) {
    times.add(since);
    for (const { at } of attempts) times.add(at);
    for (const all of [functions, accepted ?? []]) for (const [, one] of all) times.add(one.since);
  }
  known.set(libraries, [...times]);
  return [...times];
}
