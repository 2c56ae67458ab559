/** The rows of the function table: filtered, latest changes on top. Pure; caches its last result. */
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

/** @param filter part of a demangled or mangled name; case is ignored */
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

/** By code unit: locale-aware comparison takes 40 times as long for 10,000 names. */
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The index of the chosen row; the first row if it is gone or none was chosen. */
export const indexIn = (rows: readonly Row[], key: string | null): number =>
  Math.max(0, key === null ? 0 : rows.findIndex((row) => row.key === key));

/** The library that a key such as "roll back" applies to: the chosen function's. */
export function libraryOf(state: SessionState, rows: readonly Row[], key: string | null): LibraryState | undefined {
  const name = rows[indexIn(rows, key)]?.function.library;
  return state.libraries.find((library) => library.name === name) ?? state.libraries[0];
}
