/** Flags, help text, and the merge with hotpatch.json. Decides nothing else and touches no process. */
import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type { InspectOptions, OutputOptions, ReportOptions, SessionOptions } from "../session/options.js";
import { type FoundConfig, readConfig } from "./config.js";
import { requireTrust } from "./config-trust.js";
import { asker } from "./confirm.js";

/** What the command line asks for. */
export interface Actions {
  session(options: SessionOptions, output: OutputOptions): Promise<void>;
  /** The pid of a running process; null when the user chose none. */
  choose(): Promise<number | null>;
  inspect(path: string, output: InspectOptions): void;
  /** @param wanted pid or exact name; null: the machine alone */
  doctor(wanted: string | null, output: Pick<ReportOptions, "json">): Promise<void>;
  diff(oldPath: string, newPath: string, output: ReportOptions): void;
}

interface Flags {
  library?: string[];
  functions?: string[];
  build?: string;
  watch?: string[];
  settle?: number;
  poll?: number;
  cwd?: string;
  env?: string[];
  keep?: boolean;
  partial?: boolean;
  force?: boolean;
  stage?: boolean;
  backend?: "auto" | "native" | "python";
  loadTimeout?: number;
  hookTimeout?: number;
  json?: boolean;
  plain?: boolean;
  log?: string;
  verbose?: number;
  config?: string;
}

const DEFAULT_SETTLE_MS = 50;
const DEFAULT_LOAD_TIMEOUT_MS = 10_000;
const DEFAULT_HOOK_TIMEOUT_MS = 2000;

const milliseconds = (text: string): number => {
  const ms = Number(text);
  if (text.trim() === "" || !Number.isFinite(ms) || ms < 0)
    throw new InvalidArgumentError("a number of milliseconds is needed.");
  return ms;
};
const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];
const environment = (value: string, before: string[] | undefined): string[] => {
  if (!/^[^=]+=/.test(value)) throw new InvalidArgumentError("NAME=VALUE is needed.");
  return collect(value, before);
};

const sessionOptions = (command: Command): Command =>
  command
    .option("-l, --library <path>", "library to follow, as the build writes it (repeatable)", collect)
    .option("-f, --functions <glob>", "patch unmarked functions of this name too (repeatable; * and ?)", collect)
    .option("-b, --build <command>", "run by the shell when sources change")
    .option("-w, --watch <dir>", "source folder for --build (repeatable; default: the current folder)", collect)
    .option("--settle <ms>", `how long an artifact must stay unchanged (default: ${DEFAULT_SETTLE_MS})`, milliseconds)
    .option("--poll <ms>", "look at the files every so often instead of being told (network mounts)", milliseconds)
    .option("--cwd <dir>", "folder of the spawned host")
    .option("--env <name=value>", "environment of the spawned host (repeatable)", environment)
    .option("--keep", "at the end leave the running generation in place")
    .option("--partial", "switch what can be switched: functions whose signature or data changed keep their bodies")
    .option("--force", "switch them too: for changes that you know to be harmless")
    .option("--stage", "keep loaded libraries apart from the files that builds write (default)")
    .option("--no-stage", "leave libraries mapped from the file the host opened")
    .option(
      "--load-timeout <ms>",
      `how long a copy may take to load (default: ${DEFAULT_LOAD_TIMEOUT_MS})`,
      milliseconds,
    )
    .option(
      "--hook-timeout <ms>",
      `how long a switch hook may take (default: ${DEFAULT_HOOK_TIMEOUT_MS})`,
      milliseconds,
    )
    .addOption(new Option("--backend <name>", "which Frida binding").choices(["auto", "native", "python"]))
    .option("--json", "events as NDJSON on stdout, commands on stdin")
    .option("--plain", "one line per event (default where there is no terminal)")
    .option("--log <file>", "NDJSON log")
    .option(
      "-v, --verbose",
      "more detail (-vv: all of it)",
      (_: string, before: number | undefined) => (before ?? 0) + 1,
    )
    .option("--config <file>", "settings (default: hotpatch.json in the current folder or above)");

/** The parser; its commands call `actions`. Help and usage errors are commander's, with exit code 2 set by main.ts. */
export function parser(version: string, actions: Actions): Command {
  const program = new Command("hotpatch")
    .description("Edit C, C++ and Rust code inside a running process.")
    .version(version)
    .enablePositionalOptions()
    .showHelpAfterError("(hotpatch --help shows what is possible)")
    .addHelpText("after", '\nExample:\n  hotpatch spawn --build "make" --watch src -- ./game\n');
  program
    .command("spawn")
    .description("start a host and patch it")
    .argument("<exe>", "program")
    .argument("[args...]", "its arguments")
    .passThroughOptions()
    .addHelpText(
      "after",
      '\nExample:\n  hotpatch spawn --library build/libgame.so --build "make" -- build/host --level 3\n',
    );
  program
    .command("attach")
    .description("patch a running process")
    .argument("[target]", "pid, or exact process name; without it: a list to choose from")
    .addHelpText("after", '\nExample:\n  hotpatch attach --build "make" --watch src game\n');
  const sessions = [...program.commands];
  for (const command of sessions) {
    sessionOptions(command).action(async () => {
      const flags = command.opts<Flags>();
      const output = outputOf(flags);
      const found = readConfig(flags.config ?? null);
      await requireTrust(found, flags.build !== undefined, flags.json === true ? null : asker());
      const arrival = await arrivalOf(command, output, actions);
      if (arrival !== null) await actions.session(merge(arrival, flags, found), output);
    });
  }
  program
    .command("inspect")
    .description("what a library offers: marks, state, hooks, and what will not follow an edit")
    .argument("<library>", "shared library (.so, or .dll of mingw-w64)")
    .option("-f, --functions <glob>", "unmarked functions of this name too (repeatable; * and ?)", collect)
    .option("--json", "one JSON object")
    .option("-v, --verbose", "names as the linker has them, too")
    .addHelpText("after", "\nExample:\n  hotpatch inspect build/libgame.so\n")
    .action((library: string, flags: Pick<Flags, "json" | "functions"> & { verbose?: boolean }) =>
      actions.inspect(library, {
        json: flags.json ?? false,
        verbose: flags.verbose ?? false,
        functions: flags.functions ?? [],
      }),
    );
  program
    .command("doctor")
    .description("is everything there to work, and may a process be patched: each line ok, or a problem and its cure")
    .argument("[target]", "pid, or exact process name")
    .option("--json", "one JSON object")
    .addHelpText("after", "\nExample:\n  hotpatch doctor 4711\n")
    .action((target: string | undefined, flags: { json?: boolean }) =>
      actions.doctor(target ?? null, { json: flags.json ?? false }),
    );
  program
    .command("diff")
    .description("what a switch from one build of a library to another would do")
    .argument("<old>", "shared library that runs")
    .argument("<new>", "shared library that is to run")
    .option("--json", "one JSON object")
    .option("-v, --verbose", "names as the linker has them, too")
    .addHelpText("after", "\nExample:\n  hotpatch diff release/libgame.so build/libgame.so\n\nExit code 6: refused.\n")
    .action((before: string, after: string, flags: { json?: boolean; verbose?: boolean }) =>
      actions.diff(before, after, { json: flags.json ?? false, verbose: flags.verbose ?? false }),
    );
  return program;
}

/** Null when the user was asked for a process and chose none. */
async function arrivalOf(
  command: Command,
  { form }: OutputOptions,
  actions: Actions,
): Promise<SessionOptions["arrival"] | null> {
  if (command.name() === "spawn") return { kind: "spawn", argv: command.args };
  const [target] = command.args;
  if (target !== undefined) return { kind: "attach", target };
  if (form !== "screen") command.error("error: missing required argument 'target'");
  const pid = await actions.choose();
  return pid === null ? null : { kind: "attach", target: String(pid) };
}

/** Both ends are a terminal, and one that can move its cursor. */
const canShowScreen = (): boolean =>
  process.stdin.isTTY === true && process.stdout.isTTY === true && !["dumb", "", undefined].includes(process.env.TERM);

const outputOf = (flags: Flags): OutputOptions => ({
  form: flags.json === true ? "json" : flags.plain !== true && canShowScreen() ? "screen" : "plain",
  log: flags.log === undefined ? null : resolve(flags.log),
  verbosity: flags.verbose ?? 0,
});

function merge(arrival: SessionOptions["arrival"], flags: Flags, { config, folder }: FoundConfig): SessionOptions {
  const fromConfig = (paths: readonly string[] | undefined) => paths?.map((p) => resolve(folder, p));
  const fromFlags = (paths: readonly string[] | undefined) => paths?.map((p) => resolve(p));
  const given = Object.fromEntries(
    (flags.env ?? []).map((e) => [e.slice(0, e.indexOf("=")), e.slice(e.indexOf("=") + 1)]),
  );
  return {
    arrival,
    libraries: fromFlags(flags.library) ?? fromConfig(config.library) ?? [],
    functions: flags.functions ?? config.functions ?? [],
    build: flags.build ?? config.build ?? null,
    watch: fromFlags(flags.watch) ?? fromConfig(config.watch) ?? [process.cwd()],
    settleMs: flags.settle ?? config.settle ?? DEFAULT_SETTLE_MS,
    pollMs: flags.poll ?? config.poll ?? null,
    cwd:
      flags.cwd !== undefined
        ? resolve(flags.cwd)
        : config.cwd !== undefined
          ? resolve(folder, config.cwd)
          : process.cwd(),
    env: { ...inherited(), ...config.env, ...given },
    keep: flags.keep ?? config.keep ?? false,
    leniency: {
      partial: flags.partial ?? config.partial ?? false,
      force: flags.force ?? config.force ?? false,
    },
    stage: flags.stage ?? config.stage ?? true,
    backend: flags.backend ?? config.backend ?? "auto",
    loadTimeoutMs: flags.loadTimeout ?? config.loadTimeout ?? DEFAULT_LOAD_TIMEOUT_MS,
    hookTimeoutMs: flags.hookTimeout ?? config.hookTimeout ?? DEFAULT_HOOK_TIMEOUT_MS,
  };
}

function inherited(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
  return env;
}
