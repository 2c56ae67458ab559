/** Why a function with the same code of its own does something else: what it calls, or the constants it uses. Pure. */
import type { Meaning } from "../binary/meaning/meaning.js";

/** Function -> what it means; without those whose extent is unknown. */
export type Meanings = ReadonlyMap<string, Meaning>;

/** What Rust's marks make of a function: its body is in another one. */
const OF_A_MARK = /__hotpatch_/;
/** Names in one sentence. */
const SHOWN = 3;

/** In words, for each function of both builds that is the same itself, but reaches something that is not. */
export function changesReached(before: Meanings, after: Meanings): Map<string, string> {
  const told = new Map<string, string>();
  for (const [name, is] of after) {
    const was = before.get(name);
    if (was === undefined || was.whole === is.whole || was.own !== is.own) continue;
    const { functions, data } = reached(was, is);
    // A stripped library has no names for what it does not export.
    const names = [...functions].map((one) => (one === "" ? "a function without a name" : one));
    if (names.some((one) => OF_A_MARK.test(one))) continue;
    const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "";
    const calls = names.length > 0 ? [`calls changed ${names.slice(0, SHOWN).join(", ")}${more}`] : [];
    if (names.length === 0 && !data) continue;
    told.set(name, [...(data ? ["data changed"] : []), ...calls].join("; "));
  }
  return told;
}

interface Reached {
  /** The nearest functions whose own code, or whose constants, are others. */
  readonly functions: ReadonlySet<string>;
  /** Whether constants that no other function stands between are others. */
  readonly data: boolean;
}

/** Where nothing of its own has changed, a meaning reaches the same number of others, in the same order. */
function reached(was: Meaning, is: Meaning): Reached {
  const functions = new Set<string>();
  const seen = new Set<Meaning>();
  let data = false;
  /** @param caller the function that was reached last; null: the first one */
  const follow = (old: Meaning, now: Meaning, caller: string | null): void => {
    if (old.whole === now.whole || seen.has(now)) return;
    seen.add(now);
    const holder = now.name ?? caller;
    if (old.own === now.own) for (const [i, one] of now.reaches.entries()) follow(old.reaches[i] ?? one, one, holder);
    else if (holder === null) data = true;
    else functions.add(holder);
  };
  for (const [i, one] of is.reaches.entries()) follow(was.reaches[i] ?? one, one, null);
  return { functions, data };
}
