/** The rows of the function table: filtered, what changed last on top. Pure; remembers its last answer. */
import type { FunctionState, LibraryState } from "../view/library-state.js";
import type { SessionState } from "../view/session-state.js";
import { nameIn } from "./context.js";

export interface Row {
  readonly key: string;
  readonly function: FunctionState;
  readonly name: string;
}

type Asked = readonly [libraries: readonly LibraryState[], filter: string, names: ReadonlyMap<string, string>];
let last: { readonly asked: Asked; readonly rows: readonly Row[] } | null = null;

const keyOf = (f: FunctionState): string => `${f.library}\n${f.name}`;

/** @param filter part of a name, as its author wrote it or as the linker has it; upper and lower case are the same */
export function rowsOf(state: SessionState, filter: string, names: ReadonlyMap<string, string>): readonly Row[] {
  const asked: Asked = [state.libraries, filter, names];
  if (last?.asked.every((value, i) => value === asked[i])) return last.rows;
  const wanted = filter.toLowerCase();
  const rows = state.libraries
    .flatMap((library) => [...library.functions.values()])
    .map((f): Row => ({ key: keyOf(f), function: f, name: nameIn({ names }, f.name) }))
    .filter((r) => r.name.toLowerCase().includes(wanted) || r.function.name.toLowerCase().includes(wanted))
    .sort((a, b) => b.function.changedAt - a.function.changedAt || compareText(a.name, b.name));
  last = { asked, rows };
  return rows;
}

/** By character: locales cost 40 times as much for 10,000 names. */
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Where the chosen row is; the first one when it is gone or none was chosen. */
export const indexIn = (rows: readonly Row[], key: string | null): number =>
  Math.max(0, key === null ? 0 : rows.findIndex((row) => row.key === key));

/** Which library a key such as "roll back" is about: the chosen function's. */
export function libraryOf(state: SessionState, rows: readonly Row[], key: string | null): LibraryState | undefined {
  const name = rows[indexIn(rows, key)]?.function.library;
  return state.libraries.find((library) => library.name === name) ?? state.libraries[0];
}
