/** What the user looks at. Nothing of the session is in here, nothing of this is in the session's state. */

export type Panel = "functions" | "problem" | "details" | "log" | "help";

export interface View {
  readonly panel: Panel;
  /** Keys go to the host's terminal when it is "output". */
  readonly focus: "main" | "output";
  readonly filter: string;
  readonly filtering: boolean;
  /** Key of the chosen row. */
  readonly chosen: string | null;
  /** First row of the table that is shown. */
  readonly top: number;
  /** First line of a panel of text that is shown. */
  readonly scroll: number;
  /** Number of the first output line that is shown; null: the newest are. */
  readonly outputTop: number | null;
  /** The generation that a rollback would go to, while it is being chosen. */
  readonly rollback: { readonly library: string; readonly generation: number } | null;
  /** A question that needs a yes. */
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
