import { Text } from "ink";
import { toColumns } from "../text/columns.js";
import { printable } from "../text/printable.js";
import { seconds } from "../view/event-text.js";
import type { SessionState } from "../view/session-state.js";
import type { Context } from "./context.js";
import { problemInShort } from "./problem.js";
import { look, type Tone } from "./theme.js";
import { ago } from "./units.js";

interface Props {
  readonly state: SessionState;
  readonly ending: boolean;
  readonly columns: number;
  readonly context: Context;
}

/** Did the last save arrive, and if not, why not? */
export function SaveLine({ state, ending, columns, context }: Props) {
  const [tone, text] = ending ? leaving(context) : saveText(state, context);
  return (
    <Text wrap="truncate-end">
      {" "}
      <Text {...look(context.theme, tone)}>
        {signOf(tone, context)}{" "}
        {toColumns(printable(text.replaceAll("\n", " ")), columns - 3, context.theme.glyphs.ellipsis).trimEnd()}
      </Text>
    </Text>
  );
}

/** Whether something is in progress that a spinner should show. */
export const isBusy = ({ phase, save, buildingSince }: SessionState): boolean =>
  phase === "arriving" || buildingSince !== null || save.step === "taking";

const SPIN_MS = 100;

function signOf(tone: Tone, { theme: { glyphs }, now }: Context): string {
  if (tone === "good") return glyphs.good;
  if (tone === "bad") return glyphs.bad;
  if (tone === "busy") return glyphs.spinner[Math.floor(now / SPIN_MS) % glyphs.spinner.length] ?? "";
  return glyphs.dot;
}

const leaving = ({ arrival }: Context): [Tone, string] => [
  "busy",
  `ending${arrival === "spawn" ? " the host" : " the session"}; Ctrl-C again quits immediately`,
];

function stillRunning(libraries: SessionState["libraries"]): string {
  if (libraries.length === 0) return "nothing was touched";
  const running = libraries.map((l) => l.running).join(", ");
  return libraries.length === 1 ? `generation ${running} keeps running` : `generations ${running} keep running`;
}

function saveText(state: SessionState, context: Context): [Tone, string] {
  const { save, libraries, phase } = state;
  const { now, build } = context;
  const named = (library: string) => (libraries.length > 1 ? `${library}: ` : "");
  if (phase === "arriving" && save.step === "none") return ["busy", `${seconds(now)}`];
  switch (save.step) {
    case "none":
      return ["plain", `no save yet: ${build === null ? "following" : "watching"} ${context.watched}`];
    case "building":
      return ["busy", `building, ${seconds(now - save.at)}: ${build ?? ""}`];
    case "built":
      return ["busy", `built in ${seconds(state.builds.at(-1)?.ms ?? 0)}; checking what changed`];
    case "taking":
      return ["busy", `${save.library}: loading, ${seconds(now - save.at)}`];
    case "incomplete":
      return ["bad", `${save.library} is incomplete: ${save.reason}`];
    case "unchanged":
      return ["plain", `${named(save.library)}nothing to do: ${save.reason.replace("generation ", "")}`];
    case "arrived":
      return [
        "good",
        `${named(save.library)}the last save is live, ${ago(now - save.at)}: ${seconds(save.liveMs)} after the build`,
      ];
    case "moved":
      return save.why === "restore"
        ? ["plain", `${named(save.library)}restored ${ago(now - save.at)}: the host runs its own code`]
        : ["plain", `${named(save.library)}rolled back to generation ${save.generation}, ${ago(now - save.at)}`];
    case "failed": {
      const what = save.problem.kind === "build" ? "build failed" : "refused";
      return ["bad", `${what}; ${stillRunning(libraries)}: ${problemInShort(save.problem)}`];
    }
  }
}
