/** --json: one event per line on stdout, nothing else there. */
import type { SessionEvent } from "../../schemas/event.js";

export const jsonLine = (event: SessionEvent): string => `${JSON.stringify(event)}\n`;
