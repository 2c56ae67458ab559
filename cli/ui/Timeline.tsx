import { Text } from "ink";
import stringWidth from "string-width";
import type { Attempt, LibraryState } from "../view/library-state.js";
import type { Build } from "../view/session-state.js";
import type { Context } from "./context.js";
import { type Glyphs, look } from "./theme.js";

interface Props {
  readonly library: LibraryState | undefined;
  readonly builds: readonly Build[];
  /** The target of a rollback. */
  readonly chosen: number | null;
  readonly columns: number;
  readonly context: Context;
}

const LABEL = " GENERATIONS ";
/** Builds shown as bars. */
const BARS = 16;

/** What became of each build, oldest first: generations by number, the running one in brackets, failures by name. */
export function Timeline({ library, builds, chosen, columns, context }: Props) {
  const { glyphs } = context.theme;
  const bars = sparkline(builds.slice(-BARS), glyphs);
  const end = bars === "" ? "" : ` ${bars} build time`;
  const steps = library === undefined ? [] : stepsOf(library, chosen, glyphs);
  const separator = ` ${glyphs.dot} `;
  const room = columns - LABEL.length - 1 - stringWidth(end);
  // The newest get the available room first.
  let [from, used] = [steps.length, -separator.length];
  while (from > 0) {
    const wider = used + separator.length + (steps[from - 1]?.text.length ?? 0);
    if (wider > room) break;
    used = wider;
    from -= 1;
  }
  return (
    <Text wrap="truncate-end">
      <Text dimColor>{LABEL}</Text>
      {from > 0 ? glyphs.ellipsis : " "}
      {steps.slice(from).map(({ key, text, tone, chosen: isChosen }, i) => (
        <Text key={key}>
          {i > 0 ? separator : ""}
          <Text {...look(context.theme, tone)} inverse={isChosen}>
            {text}
          </Text>
        </Text>
      ))}
      {" ".repeat(Math.max(0, room - Math.max(0, used)))}
      <Text dimColor>{end}</Text>
    </Text>
  );
}

/** Heights relative to the slowest build; a failed one is a cross instead. */
function sparkline(builds: readonly Build[], { bars, bad }: Glyphs): string {
  const slowest = Math.max(1, ...builds.map((b) => b.ms));
  return builds
    .map(({ ms, ok }) => (ok ? (bars[Math.min(bars.length - 1, Math.floor((ms / slowest) * bars.length))] ?? "") : bad))
    .join("");
}

interface Step {
  readonly key: string;
  readonly text: string;
  readonly tone: "good" | "bad" | "plain";
  readonly chosen: boolean;
}

function stepsOf(library: LibraryState, chosen: number | null, glyphs: Glyphs): Step[] {
  const failures = failuresIn(library.attempts, glyphs);
  const steps: Step[] = [];
  for (const generation of library.generations) {
    const runs = generation === library.running;
    const sign = generation === 0 ? "" : ` ${glyphs.good}`;
    const text = runs ? `[${generation}${sign}]` : `${generation}${sign}`;
    steps.push({ key: String(generation), text, tone: runs ? "good" : "plain", chosen: generation === chosen });
    const failed = failures.get(generation);
    if (failed !== undefined) steps.push({ key: `after ${generation}`, text: failed, tone: "bad", chosen: false });
  }
  return steps;
}

/** What failed after each generation was made and before the next was: "✗build", "✗layout-changed", "✗build x3". */
function failuresIn(attempts: readonly Attempt[], { bad }: Glyphs): Map<number, string> {
  const after = new Map<number, { what: string; times: number }[]>();
  let newest = 0;
  for (const attempt of attempts) {
    if (attempt.kind === "generation") newest = Math.max(newest, attempt.generation);
    if (attempt.kind !== "refused" && attempt.kind !== "build-failed") continue;
    const what = attempt.kind === "refused" ? attempt.code : "build";
    const list = after.get(newest) ?? [];
    const last = list.at(-1);
    if (last?.what === what) last.times += 1;
    else list.push({ what, times: 1 });
    after.set(newest, list);
  }
  const text = ({ what, times }: { what: string; times: number }) => `${bad}${what}${times > 1 ? ` x${times}` : ""}`;
  return new Map([...after].map(([generation, list]) => [generation, list.map(text).join(" ")]));
}
