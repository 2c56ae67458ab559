/** Opens the view of a session. The screen's libraries take 150 ms to load, so they are loaded only for the screen. */
import { basename, relative } from "node:path";
import type { OutputOptions, SessionOptions } from "../session/options.js";
import type { EventView } from "./event-view.js";
import { jsonView } from "./json.js";
import { PlainView } from "./plain.js";
import type { SessionControls } from "./screen.js";
import { themeOf } from "./theme.js";

/** What an interactive view may do to the session. */
export interface Controls {
  readonly session: SessionControls;
  readonly elapsed: () => number;
  readonly interrupt: () => void;
}

export async function openView(
  form: OutputOptions["form"],
  options: SessionOptions,
  controls: Controls,
): Promise<EventView> {
  if (form === "json") return jsonView();
  if (form === "plain") return new PlainView((line) => process.stdout.write(`${line}\n`));
  const { Screen } = await inProduction(() => import("./screen.js"));
  const { arrival, build, watch, library } = options;
  const wanted = arrival.kind === "spawn" ? basename(arrival.argv[0] ?? "") : arrival.target;
  const files = build === null ? library.map((path) => basename(path)) : watch.map((path) => relative("", path) || ".");
  const watched = files.length === 0 ? "every marked library" : files.join(", ");
  return new Screen({
    context: { arrival: arrival.kind, wanted, build, watched, theme: themeOf(process.env) },
    ...controls,
  });
}

/** React's development build is slower and keeps a performance entry of every frame: it decides when it is loaded. */
export async function inProduction<T>(load: () => Promise<T>): Promise<T> {
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = "production";
  try {
    return await load();
  } finally {
    if (before === undefined)
      delete process.env.NODE_ENV; // hosts and builds inherit the user's value, not ours
    else process.env.NODE_ENV = before;
  }
}
