/** What all components may know besides the session's state: constant facts of this run, and the clock. */
import type { Theme } from "./theme.js";

export interface Context {
  readonly arrival: "spawn" | "attach";
  /** As named on the command line. */
  readonly wanted: string;
  readonly build: string | null;
  /** The watched folders or files, as text. */
  readonly watched: string;
  readonly theme: Theme;
  /** Demangled names, where they differ. */
  readonly names: ReadonlyMap<string, string>;
  /** ms since the session began. */
  readonly now: number;
}

export const nameIn = ({ names }: Pick<Context, "names">, symbol: string): string => names.get(symbol) ?? symbol;
