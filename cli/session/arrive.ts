/** Arriving: finds the process, checks that it may be touched, and gets the agent into it. */
import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { AgentArgument, BeginAnswer } from "../../schemas/agent.js";
import { AGENT_PROTOCOL } from "../../schemas/protocol.js";
import { attachBusy, attachFailed, HotpatchError, spawnFailed } from "../errors.js";
import { openBackend } from "../frida/open.js";
import type { Backend, Target } from "../frida/target.js";
import { checkExecutable } from "../preflight/executable.js";
import { checkOwnLimits } from "../preflight/limits.js";
import { checkOwnPlace } from "../preflight/place.js";
import type { SessionLocks } from "../preflight/sessions.js";
import { refuseProblem, refuseUnfit } from "../preflight/target.js";
import { findProcess } from "../system/process-facts.js";
import { commandOf } from "../system/shebang.js";
import type { SessionOptions } from "./options.js";

/** The size of the host's terminal if hotpatch has none. */
const COLS = 80;
const ROWS = 24;

/** The agent's source, as loaded into a target. */
export const agentSource = (): string =>
  readFileSync(fileURLToPath(new URL("../../agent.js", import.meta.url)), "utf8");

/** Rejects with a HotpatchError; then nothing is left running. */
export async function arrive(
  options: SessionOptions,
  locks: SessionLocks,
): Promise<{ backend: Backend; target: Target }> {
  const { arrival, cwd, env } = options;
  if (arrival.kind === "attach") {
    const pid = findProcess(arrival.target);
    await locks.take(pid);
    await refuseUnfit(pid);
    return withBackend(options, (backend) => backend.attach(pid, agentSource()));
  }
  const [name = "", ...rest] = arrival.argv;
  if (!existsSync(cwd) || !statSync(cwd).isDirectory())
    throw new HotpatchError(spawnFailed(name, `its working directory ${cwd} does not exist`));
  const { program, args } = commandOf(findProgram(name, cwd, env.PATH ?? ""), rest);
  refuseProblem(checkExecutable(program, null));
  if (isLoader(program))
    throw new HotpatchError(
      spawnFailed(
        program,
        "this is the dynamic loader, which dies when Frida enters it: name the program it is to run instead",
      ),
    );
  refuseProblem(checkOwnPlace());
  refuseProblem(checkOwnLimits());
  const { columns = COLS, rows = ROWS } = process.stdout;
  const spawn = { argv: [program, ...args], env, cwd, cols: columns, rows };
  return withBackend(options, async (backend) => {
    const target = await backend.spawn(spawn, agentSource());
    await locks.take(target.pid);
    return target;
  });
}

/** Enters a process that a launcher has started. Rejects with a HotpatchError. */
export async function enter(backend: Backend, pid: number, locks: SessionLocks): Promise<Target> {
  await locks.take(pid);
  await refuseUnfit(pid);
  return backend.attach(pid, agentSource());
}

/** `ld.so program` starts a program too, but Frida needs a C library, which ld.so has not loaded yet. */
const isLoader = (program: string): boolean => /^ld(-linux|-musl|\.so|-\d)/.test(basename(realpathSync(program)));

async function withBackend(options: SessionOptions, reach: (backend: Backend) => Promise<Target>) {
  const backend = await openBackend(options.backend);
  try {
    return { backend, target: await reach(backend) };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** As execvp would: a name with a slash is a path from `cwd`, any other is looked up on PATH. */
function findProgram(name: string, cwd: string, path: string): string {
  const candidates = name.includes("/")
    ? [resolve(cwd, name)]
    : path.split(delimiter).map((folder) => resolve(cwd, join(folder, name)));
  const found = candidates.find((file) => existsSync(file) && statSync(file).isFile());
  if (found === undefined)
    throw new HotpatchError(spawnFailed(name, `no such file${name.includes("/") ? "" : " in any folder of PATH"}`));
  try {
    accessSync(found, constants.X_OK);
  } catch (error) {
    throw new HotpatchError(spawnFailed(name, `${found} is not executable`), error);
  }
  return found;
}

/**
 * The agent adopts what is loaded, and from now on what appears. Rejects with a HotpatchError.
 * @param running what the target runs when that fails, in words
 */
export async function begin(
  target: Target,
  running: string,
  wanted: Omit<AgentArgument<"begin">, "protocol" | "owner" | "carrier">,
): Promise<BeginAnswer> {
  const { pid, carrier } = target;
  const request = { ...wanted, protocol: AGENT_PROTOCOL, owner: process.pid, carrier };
  const begun = await target.call("begin", request).catch((error: Error) => {
    if (error instanceof HotpatchError) throw error;
    throw new HotpatchError(attachFailed(pid, error.message, running), error);
  });
  if (begun.ok) return begun.value;
  const { code, detail } = begun.error;
  throw new HotpatchError(code === "attach-busy" ? attachBusy(pid, detail) : attachFailed(pid, detail, running));
}
