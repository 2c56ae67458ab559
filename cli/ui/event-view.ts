/** Whatever shows a session's events: one of --json, --plain and the screen. */
import type { SessionEvent } from "../../schemas/event.js";

export interface EventView {
  show(event: SessionEvent): void;
  /** After the last event. */
  close(): void;
}
