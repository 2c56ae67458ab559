/** What all components may know beside the session's state: facts of this run that do not change, and the clock. */
import type { Theme } from "./theme.js";

export interface Context {
  readonly arrival: "spawn" | "attach";
  /** As it was named on the command line. */
  readonly wanted: string;
  readonly build: string | null;
  /** Folders or files that are watched, for people. */
  readonly watched: string;
  readonly theme: Theme;
  /** Names as their authors wrote them, where that is another spelling. */
  readonly names: ReadonlyMap<string, string>;
  /** ms since the session began. */
  readonly now: number;
}

export const nameIn = ({ names }: Pick<Context, "names">, symbol: string): string => names.get(symbol) ?? symbol;
