/** Step: run the build command. Its exit code decides; saves during a build are built after it, all at once. */
import { type ChildProcess, spawn } from "node:child_process";

export type BuildResult =
  | { readonly kind: "finished"; readonly ms: number }
  | { readonly kind: "failed"; readonly ms: number; readonly exitCode: number | null; readonly output: string }
  | { readonly kind: "cancelled" };

export interface Build {
  readonly done: Promise<BuildResult>;
  /** Ends the command and everything it started. */
  cancel(): void;
}

/** Bytes of output kept: compilers say what is wrong at the end. */
const TAIL = 64 * 1024;
/** ms between SIGTERM and SIGKILL for a cancelled build. */
const GRACE_MS = 2000;
/** ms to wait for output after the shell's exit: a background child may hold the pipe open for ever. */
const DRAIN_MS = 100;

/** Runs `command` in the shell, in its own process group. */
export function startBuild(command: string, cwd: string, env: NodeJS.ProcessEnv): Build {
  const start = performance.now();
  const child = spawn("/bin/sh", ["-c", command], { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      output = (output + chunk).slice(-TAIL);
    });
  }
  let cancelled = false;
  let killer: NodeJS.Timeout | undefined;
  const done = new Promise<BuildResult>((resolve) => {
    const end = (exitCode: number | null, said: string) => {
      clearTimeout(killer);
      child.stdout.destroy();
      child.stderr.destroy();
      const ms = Math.round(performance.now() - start);
      if (cancelled) resolve({ kind: "cancelled" });
      else if (exitCode === 0) resolve({ kind: "finished", ms });
      else resolve({ kind: "failed", ms, exitCode, output: output + said });
    };
    child.once("error", (error) => end(null, error.message));
    child.once("exit", (exitCode, signal) => {
      const said = signal === null ? "" : `\nkilled by ${signal}`;
      const timer = setTimeout(() => end(exitCode, said), DRAIN_MS);
      child.once("close", () => {
        clearTimeout(timer);
        end(exitCode, said);
      });
    });
  });
  return {
    done,
    cancel() {
      if (cancelled) return;
      cancelled = true;
      killGroup(child, "SIGTERM");
      killer = setTimeout(() => killGroup(child, "SIGKILL"), GRACE_MS);
    },
  };
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // the group has exited, as intended
  }
}

export interface BuildListener {
  onStarted(): void;
  /** The next build begins once this has resolved: it may write over what this one built. */
  onFinished(result: { readonly ms: number }): Promise<void>;
  onFailed(result: { readonly ms: number; readonly exitCode: number | null; readonly output: string }): void;
}

/** One build at a time, each to its end: whoever saves more often than a build takes would otherwise never see one. */
export class BuildLoop {
  readonly #start: () => Build;
  readonly #listener: BuildListener;
  #running: Promise<BuildResult> | null = null;
  #build: Build | null = null;
  #again = false;
  #closed = false;

  constructor(command: string, cwd: string, env: NodeJS.ProcessEnv, listener: BuildListener) {
    this.#start = () => startBuild(command, cwd, env);
    this.#listener = listener;
  }

  /** Builds now, or once more when the running build has ended. Resolves with the result of the last build. */
  once(): Promise<BuildResult> {
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Cancels a running build. */
  close(): void {
    this.#closed = true;
    this.#build?.cancel();
  }

  async #run(): Promise<BuildResult> {
    let result: BuildResult = { kind: "cancelled" };
    while (this.#again && !this.#closed) {
      this.#again = false;
      this.#listener.onStarted();
      this.#build = this.#start();
      result = await this.#build.done;
      this.#build = null;
      if (this.#closed) break;
      if (result.kind === "finished") await this.#listener.onFinished(result);
      else if (result.kind === "failed") this.#listener.onFailed(result);
    }
    return result;
  }
}
