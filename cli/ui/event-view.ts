/** A view of a session's events: --json, --plain or the screen. */
import type { SessionEvent } from "../../schemas/event.js";

export interface EventView {
  show(event: SessionEvent): void;
  /** After the last event. */
  close(): void;
}
