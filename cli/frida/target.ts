/**
 * The target as the session sees it, whatever the Frida binding. Both backends implement this and pass the same contract
 * tests (test/cli/frida/contract.test.ts).
 */
import type { AgentAnswer, AgentArgument, AgentEvent, AgentMethod, Carrier, Result } from "../../schemas/agent.js";

export interface SpawnOptions {
  /** Program and arguments; a program without a slash is looked up in PATH. */
  readonly argv: readonly string[];
  /** The host's complete environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path. */
  readonly cwd: string;
  /** Size of the host's terminal, in characters. */
  readonly cols: number;
  readonly rows: number;
}

/** How a target ended: if known, exactly one of the two is set. `signal` is a name: "SIGSEGV". */
export interface Outcome {
  readonly exitCode?: number;
  readonly signal?: string;
}

export type TargetEvent =
  | { readonly type: "agent"; readonly event: AgentEvent }
  /** The agent threw outside a call. */
  | { readonly type: "agent-error"; readonly text: string; readonly stack: string }
  | { readonly type: "output"; readonly stream: "stdout" | "stderr" | "tty"; readonly data: Buffer }
  | { readonly type: "exited"; readonly outcome: Outcome; readonly reason: string }
  /** The process has become another program, without the agent. */
  | { readonly type: "replaced"; readonly reason: string }
  /** The link to Frida broke; the target may well live on. */
  | { readonly type: "lost"; readonly reason: string };

/** Why a process that is still alive is no longer our target. */
export const REPLACED = "the process has executed another program";

/** An address range; `end` is exclusive. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A process with the agent in it. Every method rejects with a HotpatchError once the link is gone. */
export interface Target {
  readonly pid: number;
  /** Our own thread, through which the agent came in; null: one of the target's own. */
  readonly carrier: Carrier | null;
  /** Calls the agent; the answer is validated against schemas/agent.ts. */
  call<M extends AgentMethod>(method: M, argument: AgentArgument<M>): Promise<Result<AgentAnswer<M>>>;
  /** Events since the target was created are queued until the first listener is set, then delivered in order. */
  listen(listener: (event: TargetEvent) => void): void;
  /**
   * For each thread, the addresses within these ranges that are its pc or lie on its stack. null: they cannot be read, or
   * not within 2 s.
   */
  stacks(ranges: readonly Range[]): Promise<number[][] | null>;
  /** Lets a spawned host run from its entry point. */
  resume(): Promise<void>;
  /** Unloads the agent and detaches; the target keeps running. Safe to call twice. */
  detach(): Promise<void>;
  /** Types into the spawned host's terminal. */
  input(data: Buffer): Promise<void>;
  resize(cols: number, rows: number): Promise<void>;
}

export interface Backend {
  readonly name: "native" | "python";
  /** For doctor and --version: "frida 17.26.2, python 3.11.7". */
  readonly version: string;
  /** Starts a host and stops it at its entry point, with the agent loaded. Rejects with a HotpatchError. */
  spawn(options: SpawnOptions, agentSource: string): Promise<Target>;
  /** Rejects with a HotpatchError. */
  attach(pid: number, agentSource: string): Promise<Target>;
  /** Detaches from everything and stops the binding's helpers. Safe to call twice. */
  close(): Promise<void>;
}
