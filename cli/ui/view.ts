/** What the user is looking at. Separate from the session's state. */

export type Panel = "functions" | "problem" | "details" | "log" | "help";

export interface View {
  readonly panel: Panel;
  /** "output": keys go to the host's terminal. */
  readonly focus: "main" | "output";
  readonly filter: string;
  readonly filtering: boolean;
  /** Key of the chosen row. */
  readonly chosen: string | null;
  /** First visible row of the table. */
  readonly top: number;
  /** First visible line of a text panel. */
  readonly scroll: number;
  /** Number of the first visible output line; null: the newest. */
  readonly outputTop: number | null;
  /** The rollback target while it is being chosen. */
  readonly rollback: { readonly library: string; readonly generation: number } | null;
  /** A pending confirmation. */
  readonly asks: "keep" | null;
  readonly ending: boolean;
}

export const FIRST_VIEW: View = {
  panel: "functions",
  focus: "main",
  filter: "",
  filtering: false,
  chosen: null,
  top: 0,
  scroll: 0,
  outputTop: null,
  rollback: null,
  asks: null,
  ending: false,
};
