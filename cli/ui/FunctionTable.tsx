import { Box, Text } from "ink";
import { toColumns } from "../text/columns.js";
import { printable } from "../text/printable.js";
import type { Context } from "./context.js";
import { Rule } from "./Rule.js";
import { indexIn, type Row } from "./rows.js";
import { look, type Tone } from "./theme.js";
import { age } from "./units.js";

interface Props {
  readonly all: readonly Row[];
  /** Number of functions without the filter. */
  readonly count: number;
  readonly chosen: string | null;
  readonly top: number;
  readonly filter: string;
  readonly filtering: boolean;
  readonly rows: number;
  readonly columns: number;
  readonly compact: boolean;
  readonly context: Context;
}

const TONES: Readonly<Record<Row["function"]["status"], Tone>> = {
  switched: "good",
  new: "good",
  unchanged: "plain",
  missing: "busy",
  refused: "bad",
  adopted: "quiet",
};
const GENERATION = 5;
const STATUS = 11;
const CHECK = 11;
const SINCE = 8;
/** Columns. On a wide screen the eye must still connect a name with its row. */
const WIDEST_NAME = 80;

/** The functions that fit, latest changes on top. */
export function FunctionTable(props: Props) {
  const { all, count, top, filter, filtering, rows, columns, compact, context } = props;
  const page = Math.max(0, rows - 2);
  const first = Math.max(0, Math.min(top, all.length - page));
  const chosen = indexIn(all, props.chosen);
  const room = columns - 2 - GENERATION - STATUS - (compact ? 0 : CHECK + SINCE) - 1;
  const name = Math.max(4, Math.min(room, WIDEST_NAME));
  const { ellipsis, pointer } = context.theme.glyphs;
  const filterText = filtering || filter !== "" ? ` / ${filter}${filtering ? "_" : ""}` : "";
  const shown = filter === "" ? String(count) : `${all.length} of ${count}`;
  const range = all.length > page ? `${first + 1}-${Math.min(all.length, first + page)}` : "";
  const head = toColumns("FUNCTION", name) + "GEN".padStart(GENERATION) + "  STATUS".padEnd(STATUS + 2);
  return (
    <Box flexDirection="column" height={rows}>
      <Rule
        title={`functions ${shown}${filterText}`}
        note={range}
        columns={columns}
        active={filtering}
        theme={context.theme}
      />
      <Text wrap="truncate-end" dimColor>
        {"  "}
        {head}
        {compact ? "" : "CHECK".padEnd(CHECK) + "SINCE".padStart(SINCE - 2)}
      </Text>
      {all.slice(first, first + page).map(({ key, name: text, function: f }, i) => (
        <Text key={key} wrap="truncate-end" inverse={first + i === chosen}>
          {first + i === chosen ? pointer : " "} {toColumns(printable(text), name, ellipsis)}
          {String(f.generation).padStart(GENERATION)}
          {"  "}
          <Text {...look(context.theme, first + i === chosen ? "plain" : TONES[f.status])}>
            {f.status.padEnd(STATUS)}
          </Text>
          {compact
            ? ""
            : (f.status === "adopted" || f.check === null ? "-" : f.check).padEnd(CHECK) +
              age(context.now - f.since).padStart(SINCE - 2)}
        </Text>
      ))}
    </Box>
  );
}
