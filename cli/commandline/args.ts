/** The commands, their flags and their help: from argv to the action that was asked for, with its options. */
import { resolve } from "node:path";
import { Command } from "commander";
import type { Given } from "../../schemas/settings.js";
import type { InspectOptions, OutputOptions, ReportOptions, SessionOptions } from "../session/options.js";
import { readConfig } from "./config.js";
import { requireTrust } from "./config-trust.js";
import { asker } from "./confirm.js";
import { merge, settingOption, settingOptions } from "./settings.js";

/** What the command line can request. */
export interface Actions {
  session(options: SessionOptions, output: OutputOptions): Promise<void>;
  /** The pid of a running process; null if the user chose none. */
  choose(): Promise<number | null>;
  inspect(path: string, output: InspectOptions): void;
  /** @param wanted pid or exact name; null: the machine alone */
  doctor(wanted: string | null, output: Pick<ReportOptions, "json">): Promise<void>;
  diff(oldPath: string, newPath: string, output: InspectOptions): void;
}

interface DiffFlags {
  json?: boolean;
  verbose?: boolean;
  functions: readonly string[];
}

/** What the flags say; settings and how the session is shown. */
interface Flags extends Given {
  json?: boolean;
  plain?: boolean;
  log?: string;
  verbose?: number;
  config?: string;
}

const sessionOptions = (command: Command): Command => {
  for (const option of settingOptions()) command.addOption(option);
  return command
    .option("--json", "events as NDJSON on stdout, commands on stdin")
    .option("--plain", "one line per event (default without a terminal)")
    .option("--log <file>", "append an NDJSON log to this file")
    .option(
      "-v, --verbose",
      "more detail in logs and errors (-vv: everything)",
      (_: string, before: number | undefined) => (before ?? 0) + 1,
    )
    .option("--config <file>", "settings file (default: hotpatch.json in the current folder or above)");
};

/** The parser; its commands call `actions`. Help and usage errors are commander's, with exit code 2 set by main.ts. */
export function parser(version: string, actions: Actions): Command {
  const program = new Command("hotpatch")
    .description("Edit C, C++ and Rust code inside a running process.")
    .version(version)
    .enablePositionalOptions()
    .showHelpAfterError("(see hotpatch --help)")
    .addHelpText("after", '\nExample:\n  hotpatch spawn --build "make" --watch src -- ./game\n');
  program
    .command("spawn")
    .description("start a host and patch it")
    .argument("<exe>", "program to run")
    .argument("[args...]", "its arguments")
    .passThroughOptions()
    .addHelpText(
      "after",
      '\nExample:\n  hotpatch spawn --library build/libgame.so --build "make" -- build/host --level 3\n',
    );
  program
    .command("attach")
    .description("patch a running process")
    .argument("[target]", "pid or exact process name; omitted: choose from a list")
    .addHelpText("after", '\nExample:\n  hotpatch attach --build "make" --watch src game\n');
  const sessions = [...program.commands];
  for (const command of sessions) {
    sessionOptions(command).action(async () => {
      const flags = command.opts<Flags>();
      const output = outputOf(flags);
      const found = readConfig(flags.config ?? null);
      await requireTrust(found, flags.build !== undefined, flags.json === true ? null : asker());
      const arrival = await arrivalOf(command, output, actions);
      if (arrival !== null) await actions.session({ arrival, ...merge(flags, found) }, output);
    });
  }
  program
    .command("inspect")
    .description("show a library's marks, state and hooks, and what an edit will not reach")
    .argument("<library>", "shared library (.so, or a mingw-w64 .dll)")
    .addOption(settingOption("functions", "include unmarked functions by name; * and ? are wildcards"))
    .option("--json", "print one JSON object")
    .option("-v, --verbose", "also show mangled names")
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
    .description("check that hotpatch can work here and, given a process, that it can be patched")
    .argument("[target]", "pid or exact process name")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  hotpatch doctor 4711\n")
    .action((target: string | undefined, flags: { json?: boolean }) =>
      actions.doctor(target ?? null, { json: flags.json ?? false }),
    );
  program
    .command("diff")
    .description("show what switching from one build of a library to another would do")
    .argument("<old>", "the library that runs")
    .argument("<new>", "the library to switch to")
    .option(
      "-f, --functions <glob>",
      "judge functions without marks too, by name; * and ? are wildcards",
      (glob: string, before: readonly string[]) => [...before, glob],
      [] as readonly string[],
    )
    .option("--json", "print one JSON object")
    .option("-v, --verbose", "show everything, mangled names too")
    .addHelpText("after", "\nExample:\n  hotpatch diff release/libgame.so build/libgame.so\n\nExit code 6: refused.\n")
    .action((before: string, after: string, flags: DiffFlags) =>
      actions.diff(before, after, {
        json: flags.json ?? false,
        verbose: flags.verbose ?? false,
        functions: flags.functions,
      }),
    );
  return program;
}

/** Null if the user was asked for a process and chose none. */
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

/** stdin and stdout are a terminal that can move its cursor. */
const canShowScreen = (): boolean =>
  process.stdin.isTTY === true && process.stdout.isTTY === true && !["dumb", "", undefined].includes(process.env.TERM);

const outputOf = (flags: Flags): OutputOptions => ({
  form: flags.json === true ? "json" : flags.plain !== true && canShowScreen() ? "screen" : "plain",
  log: flags.log === undefined ? null : resolve(flags.log),
  verbosity: flags.verbose ?? 0,
});
