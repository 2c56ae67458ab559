/** What a key does in the list of processes. Pure. */
import type { Candidate } from "../system/process-list.js";
import type { Key } from "./keys.js";

export interface Choice {
  readonly filter: string;
  readonly index: number;
}

export const FIRST_CHOICE: Choice = { filter: "", index: 0 };

/** Matches name, command line, pid and marked library, ignoring case. */
export function matching(all: readonly Candidate[], { filter }: Choice): Candidate[] {
  const wanted = filter.toLowerCase();
  return all.filter(({ pid, name, commandLine, marked }) =>
    [String(pid), name, commandLine, ...marked].some((text) => text.toLowerCase().includes(wanted)),
  );
}

/** The next state, or the result. `pid` null: nothing was chosen. */
export type Picked = { readonly choice: Choice } | { readonly pid: number | null };

export function pick(choice: Choice, { name, raw }: Key, all: readonly Candidate[], page: number): Picked {
  const shown = matching(all, choice);
  const to = (index: number): Picked => ({
    choice: { ...choice, index: Math.max(0, Math.min(index, shown.length - 1)) },
  });
  const typed = (filter: string): Picked => ({ choice: { filter, index: 0 } });
  switch (name) {
    case "enter": {
      const chosen = shown[choice.index];
      return chosen === undefined ? { choice } : { pid: chosen.pid };
    }
    case "esc":
    case "ctrl-c":
      return { pid: null };
    case "up":
      return to(choice.index - 1);
    case "down":
      return to(choice.index + 1);
    case "pageup":
      return to(choice.index - page);
    case "pagedown":
      return to(choice.index + page);
    case "home":
      return to(0);
    case "end":
      return to(shown.length - 1);
    case "backspace":
      return typed([...choice.filter].slice(0, -1).join(""));
    case "ctrl-u":
      return typed("");
    default:
      return [...raw].length === 1 && raw >= " " ? typed(choice.filter + raw) : { choice };
  }
}
