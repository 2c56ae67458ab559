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

/** Whether something goes on that a spinner should show. */
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
  `ending${arrival === "spawn" ? " the host" : ""}; Ctrl-C again quits at once`,
];

function saveText(state: SessionState, context: Context): [Tone, string] {
  const { save, libraries, phase } = state;
  const { now, build } = context;
  const named = (library: string) => (libraries.length > 1 ? `${library}: ` : "");
  const running = libraries.map((l) => l.running).join(", ");
  if (phase === "arriving" && save.step === "none") return ["busy", `${seconds(now)}`];
  switch (save.step) {
    case "none":
      return ["plain", `no save yet: ${build === null ? "following" : "watching"} ${context.watched}`];
    case "building":
      return ["busy", `building for ${seconds(now - save.at)}: ${build ?? ""}`];
    case "built":
      return ["busy", `built in ${seconds(state.builds.at(-1)?.ms ?? 0)}; looking at what changed`];
    case "taking":
      return ["busy", `${save.library}: taking it in for ${seconds(now - save.at)}`];
    case "incomplete":
      return ["bad", `${save.library} is not complete yet: ${save.reason}`];
    case "unchanged":
      return ["plain", `${named(save.library)}nothing to do: ${save.reason.replace("generation ", "")}`];
    case "arrived":
      return [
        "good",
        `${named(save.library)}the last save runs, ${ago(now - save.at)}: live ${seconds(save.liveMs)} after it was built`,
      ];
    case "moved":
      return save.why === "restore"
        ? ["plain", `${named(save.library)}restored ${ago(now - save.at)}: the host's own code runs`]
        : ["plain", `${named(save.library)}rolled back to ${save.generation}, ${ago(now - save.at)}`];
    case "failed": {
      const what = save.problem.kind === "build" ? "the build failed" : "refused";
      return [
        "bad",
        `${what}, ${running === "" ? "nothing was touched" : `${running} runs on`}: ${problemInShort(save.problem)}`,
      ];
    }
  }
}
