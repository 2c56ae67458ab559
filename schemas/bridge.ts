/**
 * One JSON object per line between the cli and cli/frida/bridge/bridge.py. The whole contract between the two processes:
 * BRIDGE_PROTOCOL is raised with every change of this file, and bridge.py states the same number in `ready`.
 */
import { z } from "zod";
import { Pid } from "./ids.js";

/** cli -> bridge: {id, op, ...arguments}. Each is answered once by {id, ok} or {id, error}. */
export interface BridgeRequests {
  /** The target stops at its entry point, on a pty that the bridge owns. `cwd` null: the bridge's own. */
  spawn: {
    argv: string[];
    env: Record<string, string>;
    cwd: string | null;
    cols: number;
    rows: number;
  };
  attach: { pid: number };
  /** Creates and loads the agent in the attached target; an earlier one is unloaded first. */
  load: { pid: number; source: string };
  call: { pid: number; method: string; argument: unknown };
  /** For each thread, the addresses within these ranges on its stack; null if stacks cannot be read in time. */
  stacks: { pid: number; ranges: { start: number; end: number }[] };
  resume: { pid: number };
  /** Unloads the agent and detaches; the target continues. */
  detach: { pid: number };
  input: { pid: number; base64: string };
  resize: { pid: number; cols: number; rows: number };
}
export type BridgeOp = keyof BridgeRequests;

/** A failure in the bridge; `type` is Frida's exception class (ProcessNotFoundError, PermissionDeniedError...). */
const BridgeError = z.object({ type: z.string(), message: z.string() });

export const BridgeMessage = z.union([
  z.object({ id: z.number(), ok: z.unknown() }),
  z.object({ id: z.number(), error: BridgeError }),
  z.object({ event: z.literal("ready"), protocol: z.number(), frida: z.string(), python: z.string(), pid: Pid }),
  z.object({ event: z.literal("fatal"), message: z.string() }),
  z.object({ event: z.literal("message"), pid: Pid, message: z.unknown() }),
  z.object({ event: z.literal("output"), pid: Pid, stream: z.enum(["stdout", "stderr", "tty"]), base64: z.string() }),
  z.object({ event: z.literal("detached"), pid: Pid, reason: z.string(), crash: z.string().nullable() }),
  /** The process has executed another program: the agent went with the old one. */
  z.object({ event: z.literal("replaced"), pid: Pid }),
  /** Only for a target the bridge spawned: it is the parent. */
  z.object({ event: z.literal("exited"), pid: Pid, exitCode: z.number().nullable(), signal: z.number().nullable() }),
]);
export type BridgeMessage = z.infer<typeof BridgeMessage>;
