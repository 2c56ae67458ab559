/** The list of processes to attach to. Pure; pick.ts handles its keys. */
import { Box, Text } from "ink";
import type { Candidate } from "../system/process-list.js";
import { toColumns } from "../text/columns.js";
import { printable } from "../text/printable.js";
import type { Size } from "./painter.js";
import type { Choice } from "./pick.js";
import { Rule } from "./Rule.js";
import { look, type Theme } from "./theme.js";

interface Props {
  /** Those that match the filter. */
  readonly shown: readonly Candidate[];
  readonly choice: Choice;
  readonly size: Size;
  readonly theme: Theme;
}

const PID = 8;

export function Picker({ shown, choice, size: { columns, rows }, theme }: Props) {
  const page = Math.max(1, rows - 3);
  const first = Math.max(0, Math.min(choice.index - page + 1, shown.length - page));
  const name = Math.min(24, Math.max(8, Math.floor(columns / 4)));
  const marked = shown.filter((one) => one.marked.length > 0).length;
  const from = Math.max(0, Math.min(first, choice.index));
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      <Text bold wrap="truncate-end">
        {" hotpatch  attach to which process?"}
      </Text>
      <Rule
        title={`${marked} of ${shown.length} processes have marked libraries / ${choice.filter}_`}
        columns={columns}
        active
        theme={theme}
      />
      {shown.slice(from, from + page).map((one, i) => (
        <Text key={one.pid} wrap="truncate-end" inverse={from + i === choice.index}>
          {from + i === choice.index ? theme.glyphs.pointer : " "}
          {String(one.pid).padStart(PID)} {toColumns(printable(one.name), name, theme.glyphs.ellipsis)}{" "}
          <Text {...look(theme, "good")}>{one.marked.map(printable).join(" ")}</Text>
          {one.marked.length > 0 ? "  " : ""}
          <Text dimColor>{printable(one.commandLine).slice(0, columns)}</Text>
        </Text>
      ))}
      <Box flexGrow={1} />
      <Text wrap="truncate-end">
        {" "}
        <Text bold>{theme.glyphs.enter}</Text> attach <Text bold>{theme.glyphs.upDown}</Text> choose{" "}
        <Text bold>type</Text> to filter <Text bold>Esc</Text> cancel
      </Text>
    </Box>
  );
}
