import { Text } from "ink";
import type { Line, Style } from "../text/scrollback.js";
import type { Theme } from "./theme.js";

interface Props {
  readonly line: Line;
  readonly theme: Theme;
}

/** One row of styled text, truncated at the right edge. */
export function StyledLine({ line, theme }: Props) {
  return (
    <Text wrap="truncate-end">
      {" "}
      {line.map(({ text, style }, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: spans have no identity beside their place
        <Text key={i} {...inkStyle(style, theme)}>
          {text}
        </Text>
      ))}
    </Text>
  );
}

function inkStyle(style: Style, { colour }: Theme) {
  const { color, background, bold, dim, italic, underline, inverse } = style;
  return {
    ...(colour && color !== undefined && { color }),
    ...(colour && background !== undefined && { backgroundColor: background }),
    ...(bold && { bold }),
    ...(dim && { dimColor: dim }),
    ...(italic && { italic }),
    ...(underline && { underline }),
    ...(inverse && { inverse }),
  };
}
