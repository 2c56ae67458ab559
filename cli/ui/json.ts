/** --json: one event per line on stdout, nothing else there. */
import type { EventView } from "./event-view.js";

/** JSON leaves C1 control characters unescaped, and terminals obey them: U+009B begins a control sequence. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value).replace(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);

export const jsonView = (): EventView => ({
  show: (event) => process.stdout.write(`${jsonText(event)}\n`),
  close: () => {},
});
