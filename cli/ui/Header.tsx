import { Box, Text } from "ink";
import stringWidth from "string-width";
import { toColumns } from "../text/columns.js";
import { printable } from "../text/printable.js";
import { count, seconds } from "../view/event-text.js";
import type { LibraryState } from "../view/library-state.js";
import type { SessionState } from "../view/session-state.js";
import type { Context } from "./context.js";
import type { ScreenLayout } from "./screen-layout.js";
import { look } from "./theme.js";
import { age, clock } from "./units.js";

interface Props {
  readonly state: SessionState;
  readonly layout: ScreenLayout;
  readonly context: Context;
}

/** The process, for how long, and the code it runs; below that, a line per library. */
export function Header({ state, layout, context }: Props) {
  const { columns, compact } = layout;
  const [only, ...more] = state.libraries;
  const left = compact ? titleInShort(state, context) : title(state, context);
  const right = only === undefined || more.length > 0 ? "" : `${running(only)} ${context.theme.glyphs.live} `;
  const room = Math.max(1, columns - stringWidth(right));
  return (
    <Box flexDirection="column">
      <Text wrap="truncate-end">
        <Text bold>{toColumns(left, room, context.theme.glyphs.ellipsis)}</Text>
        <Text {...look(context.theme, only?.running === 0 ? "plain" : "good")}>{right}</Text>
      </Text>
      {libraryLines(state, layout, context).map((text) => (
        <Text key={text} wrap="truncate-end">
          {text}
        </Text>
      ))}
    </Box>
  );
}

const running = ({ running }: LibraryState): string => `generation ${running}`;

function title({ phase, host, pid, startedAt }: SessionState, { arrival, wanted, now }: Context): string {
  if (phase === "arriving")
    return ` hotpatch  ${arrival === "spawn" ? "starting" : "attaching to"} ${printable(wanted)}`;
  const since = clock(now - startedAt);
  return ` hotpatch  ${printable(host)} (pid ${pid})  ${arrival === "spawn" ? "running" : "attached"} ${since}`;
}

const titleInShort = ({ phase, host, pid }: SessionState, { wanted }: Context): string =>
  phase === "arriving" ? ` ${printable(wanted)}` : ` ${printable(host)} ${pid}`;

/** The last line says how many are omitted. */
function libraryLines(
  { libraries: all, phase, builds }: SessionState,
  layout: ScreenLayout,
  context: Context,
): string[] {
  const { libraries: room, columns } = layout;
  if (room === 0) return [];
  if (all.length === 0) return [phase === "arriving" ? " " : " no marked library loaded yet"];
  const build = builds.filter((b) => b.ok).at(-1);
  const lines = all.map((library) => {
    const made = library.attempts.findLast((a) => a.kind === "generation");
    return asFits(columns, [
      printable(library.name),
      all.length > 1 ? running(library) : "",
      count(library.count, "function"),
      library.running === 0 ? "the host's own code" : `for ${age(context.now - library.since)}`,
      build === undefined ? "" : `build ${seconds(build.ms)}`,
      made?.kind === "generation" && made.liveMs !== null ? `live ${seconds(made.liveMs)} after the build` : "",
    ]);
  });
  if (lines.length <= room) return lines;
  return [...lines.slice(0, room - 1), ` and ${lines.length - room + 1} more libraries`];
}

/** As many whole facts as fit. */
function asFits(columns: number, facts: readonly string[]): string {
  let text = "";
  for (const fact of facts) {
    if (fact === "") continue;
    const longer = text === "" ? ` ${fact}` : `${text}   ${fact}`;
    if (stringWidth(longer) > columns && text !== "") break;
    text = longer;
  }
  return text;
}
