/** Events as a session emits them, for tests of their consumers. */

import { reduce, type SessionState, START } from "../../cli/view/session-state.js";
import type { FunctionResult, SessionEvent } from "../../schemas/event.js";

type EventOf<T extends SessionEvent["type"]> = Extract<SessionEvent, { type: T }>;
const LIBRARY = "libgame.so";

export const play = (events: readonly SessionEvent[], from: SessionState = START): SessionState =>
  events.reduce(reduce, from);

export const started = (at = 400): SessionEvent => ({
  type: "session:started",
  at,
  pid: 4711,
  backend: "python",
  host: "game",
  version: "frida 17.26.2",
  hotpatch: "0.1.0",
});

export const found = (library = LIBRARY, functions = 3, at = 410): SessionEvent => ({
  type: "library:found",
  at,
  library,
  path: `/project/build/${library}`,
  generation: 0,
  functions,
  state: 0,
  buildId: "abc",
});

export const ready = (at = 420): SessionEvent => ({ type: "session:ready", at });

export const status = (
  names: readonly string[],
  { library = LIBRARY, generation = 0, generations = [0], oldThreads = 0, at = 430 } = {},
): SessionEvent => ({
  type: "status",
  at,
  libraries: [
    {
      library,
      generation,
      generations: generations.map((n) => ({ generation: n, at: 0, buildId: null, functions: names.length })),
      functions: names.map((name) => ({ name, generation, check: "unchecked" as const, oldThreads })),
      otherThreads: null,
      state: [],
    },
  ],
});

export const result = (name: string, status: FunctionResult["status"], reason?: string): FunctionResult => ({
  name,
  status,
  check: "dwarf",
  ...(reason !== undefined && { reason }),
});

export const built = (at: number, ms = 840): SessionEvent[] => [
  { type: "build:started", at: at - ms, command: "make" },
  { type: "build:finished", at, command: "make", ms },
];

export const failed = (at: number, output: string, ms = 310): SessionEvent[] => [
  { type: "build:started", at: at - ms, command: "make" },
  { type: "build:failed", at, command: "make", ms, exitCode: 2, output },
];

export const switched = (
  generation: number,
  functions: readonly FunctionResult[],
  at: number,
  more: Partial<EventOf<"generation:switched">> = {},
): SessionEvent => ({
  type: "generation:switched",
  at,
  library: LIBRARY,
  generation,
  from: generation - 1,
  functions: [...functions],
  ms: 9.25,
  why: "artifact",
  ...more,
});

export const preview = (generation: number, functions: readonly FunctionResult[] = [], from = 3): SessionEvent => ({
  type: "preview",
  at: 1,
  library: LIBRARY,
  generation,
  from,
  functions: [...functions],
});

export const refused = (functions: readonly FunctionResult[], at: number, library = LIBRARY): SessionEvent => ({
  type: "generation:refused",
  at,
  library,
  code: "layout-changed",
  message: `the new build of ${library} changes the layout of live data`,
  detail: "struct player: health moved from 8 to 16",
  hint: "restart the host for this change, or undo it",
  functions: [...functions],
  running: 1,
});

export const output = (text: string, at = 500): SessionEvent => ({ type: "target:output", at, stream: "tty", text });

/** A session in which much has happened: three generations, a failed build and a refusal. */
export const eventful = (): SessionState => {
  const all = (status: FunctionResult["status"]) =>
    ["damage", "spawn_wave", "old_helper"].map((n) => result(n, status));
  return play([
    started(),
    found(),
    ready(),
    status(["damage", "spawn_wave", "old_helper"]),
    output("score 120\nscore 121\n"),
    ...built(5000),
    switched(1, all("switched"), 5010),
    ...failed(9000, "game.c:12:14: error: expected expression before ';' token\n"),
    ...built(12_000, 1700),
    switched(
      2,
      [result("damage", "switched"), result("spawn_wave", "unchanged"), result("old_helper", "missing")],
      12_010,
    ),
    ...built(15_000),
    refused(
      [result("damage", "refused", "struct player: health moved"), result("spawn_wave", "refused", "layout-changed")],
      15_010,
    ),
    ...built(20_000),
    switched(
      3,
      [result("damage", "switched"), result("spawn_wave", "unchanged"), result("old_helper", "missing")],
      20_010,
      {
        from: 2,
      },
    ),
  ]);
};
