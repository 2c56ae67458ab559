import { Text } from "ink";
import { toColumns } from "../text/columns.js";
import { printable } from "../text/printable.js";
import type { Theme } from "./theme.js";

interface Props {
  readonly title: string;
  /** At the right end. */
  readonly note?: string;
  readonly columns: number;
  readonly active?: boolean;
  readonly theme: Theme;
}

/** The line above a panel, with its name. */
export function Rule({ title, note = "", columns, active = false, theme: { glyphs } }: Props) {
  const end = note === "" ? "" : ` ${note} ${glyphs.rule}`;
  const room = Math.max(0, columns - 3 - end.length);
  const name = toColumns(printable(title), Math.min(room, 400), glyphs.ellipsis).trimEnd();
  const before = `${glyphs.rule} ${name} `;
  const rest = toColumns("", Math.max(0, columns - [...before].length - end.length)).replaceAll(" ", glyphs.rule);
  return (
    <Text wrap="truncate-end" dimColor={!active}>
      {before.slice(0, 2)}
      <Text bold={active}>{name}</Text> {rest}
      {end}
    </Text>
  );
}
