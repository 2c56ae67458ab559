/** What a session tells the screen, --json and the tests: one closed union. The contract is docs/cli.md. */
import { z } from "zod";
import { ErrorCode } from "./error.js";
import { Generation, Pid } from "./ids.js";

export const FunctionStatus = z.enum(["switched", "unchanged", "new", "missing", "refused"]);
export type FunctionStatus = z.infer<typeof FunctionStatus>;

/** The evidence that a function's signature and data layout are the same. `partly`: some of it could not be seen. */
export const Check = z.enum(["dwarf", "record", "partly", "mangled", "unchecked"]);
export type Check = z.infer<typeof Check>;

export const FunctionResult = z.object({
  name: z.string(),
  status: FunctionStatus,
  /** Why it was refused, what differs nevertheless, or why it is unchecked. */
  reason: z.string().optional(),
  check: Check,
});
export type FunctionResult = z.infer<typeof FunctionResult>;

/** `partial`: refused functions kept their bodies. `force`: they were switched. */
export const Override = z.enum(["partial", "force"]);
export type Override = z.infer<typeof Override>;

/** `at`: ms since the session began. `library`: file name of the library. */
const base = { at: z.number() };
const library = { library: z.string() };

const report = { code: ErrorCode, message: z.string(), detail: z.string(), hint: z.string(), running: z.string() };

export const StatusLibrary = z.object({
  library: z.string(),
  generation: Generation,
  generations: z.array(
    z.object({ generation: Generation, at: z.number(), buildId: z.string().nullable(), functions: z.number() }),
  ),
  functions: z.array(
    z.object({
      name: z.string(),
      generation: Generation,
      check: Check,
      oldThreads: z.number().nullable(),
      /** "file:line" of its running body, if known. */
      source: z.string().optional(),
    }),
  ),
  /**
   * Threads in other code of older generations: in functions without a mark, which stay in what they were started in. Null
   * if not measured.
   */
  otherThreads: z.number().nullable(),
  /** Persistent variables, as the switch to the running generation found them. */
  state: z.array(z.object({ name: z.string(), check: Check, reason: z.string().optional() })),
});
export type StatusLibrary = z.infer<typeof StatusLibrary>;

export const SessionEvent = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("session:started"),
    ...base,
    pid: Pid,
    backend: z.enum(["native", "python"]),
    host: z.string(),
    /** Frida's, and that of what it runs on. */
    version: z.string(),
    hotpatch: z.string(),
  }),
  z.object({
    type: z.literal("target:followed"),
    ...base,
    pid: Pid,
    host: z.string(),
    /** The previous target. The same process if it has executed another program. */
    from: Pid,
  }),
  z.object({
    type: z.literal("library:found"),
    ...base,
    ...library,
    path: z.string(),
    generation: Generation,
    functions: z.number(),
    state: z.number(),
    buildId: z.string().nullable(),
  }),
  z.object({ type: z.literal("session:ready"), ...base }),
  z.object({ type: z.literal("build:started"), ...base, command: z.string() }),
  z.object({ type: z.literal("build:finished"), ...base, command: z.string(), ms: z.number() }),
  z.object({
    type: z.literal("build:failed"),
    ...base,
    command: z.string(),
    ms: z.number(),
    exitCode: z.number().nullable(),
    output: z.string(),
  }),
  z.object({ type: z.literal("artifact:changed"), ...base, ...library, path: z.string(), reason: z.string() }),
  z.object({ type: z.literal("artifact:incomplete"), ...base, ...library, path: z.string(), reason: z.string() }),
  z.object({ type: z.literal("artifact:unchanged"), ...base, ...library, path: z.string(), reason: z.string() }),
  z.object({
    type: z.literal("generation:loaded"),
    ...base,
    ...library,
    generation: Generation,
    path: z.string(),
    ms: z.number(),
  }),
  z.object({
    type: z.literal("generation:switched"),
    ...base,
    ...library,
    generation: Generation,
    from: Generation,
    functions: z.array(FunctionResult),
    ms: z.number(),
    why: z.enum(["artifact", "rollback", "restore"]),
    /** Present if the generation runs only because of --partial or --force. */
    override: Override.optional(),
  }),
  z.object({
    type: z.literal("generation:refused"),
    ...base,
    ...library,
    code: ErrorCode,
    message: z.string(),
    detail: z.string(),
    hint: z.string(),
    functions: z.array(FunctionResult),
    running: Generation,
  }),
  z.object({
    type: z.literal("target:output"),
    ...base,
    stream: z.enum(["stdout", "stderr", "tty"]),
    text: z.string(),
  }),
  z.object({
    type: z.literal("target:exited"),
    ...base,
    exitCode: z.number().optional(),
    signal: z.string().optional(),
    reason: z.string().optional(),
  }),
  z.object({ type: z.literal("session:ended"), ...base, restored: z.boolean(), reason: z.string() }),
  z.object({ type: z.literal("status"), ...base, libraries: z.array(StatusLibrary) }),
  /** What a rollback to `generation` would do; nothing has been done. */
  z.object({
    type: z.literal("preview"),
    ...base,
    ...library,
    generation: Generation,
    from: Generation,
    functions: z.array(FunctionResult),
  }),
  z.object({ type: z.literal("warning"), ...base, library: z.string().optional(), ...report }),
  z.object({ type: z.literal("error"), ...base, library: z.string().optional(), ...report }),
]);
export type SessionEvent = z.infer<typeof SessionEvent>;

type OmitAt<E> = E extends unknown ? Omit<E, "at"> : never;
/** An event before the session adds its time. */
export type UntimedEvent = OmitAt<SessionEvent>;
