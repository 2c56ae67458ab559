#!/usr/bin/env node
/** argv -> command -> exit code. The only file that exits. */
import { constants } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { CommanderError } from "commander";
import type { ErrorReport } from "../schemas/error.js";
import type { SessionEvent, UntimedEvent } from "../schemas/event.js";
import { EXIT, SIGNAL_BASE } from "../schemas/exit.js";
import { parser } from "./commandline/args.js";
import { readCommands } from "./commandline/json-commands.js";
import { logStarted, openLog } from "./commandline/log-file.js";
import { diffLibraries } from "./commands/diff.js";
import { diagnose } from "./commands/doctor.js";
import { inspectLibrary } from "./commands/inspect.js";
import { HotpatchError, reportOf } from "./errors.js";
import type { InspectOptions, Level, OutputOptions, ReportOptions, SessionOptions } from "./session/options.js";
import { Session } from "./session/session.js";
import { VERSION } from "./session/version.js";
import { printable } from "./text/printable.js";
import { diffLines } from "./ui/diff-report.js";
import { doctorLines } from "./ui/doctor-report.js";
import { jsonText } from "./ui/json.js";
import { reportLines } from "./ui/library-report.js";
import { inProduction, openView } from "./ui/open.js";

/** ms that the reader of our output may take for the rest of it. */
const DRAIN_MS = 2000;

const exitCodes: Partial<Record<ErrorReport["code"], number>> = {
  "no-backend": EXIT.noBackend,
  usage: EXIT.usage,
  "bad-config": EXIT.usage,
  "untrusted-config": EXIT.usage,
  internal: EXIT.failed,
};

const levelOf = (event: SessionEvent): Level =>
  event.type === "error" ? "error" : event.type === "target:output" ? "trace" : "info";

/** Runs one session; sets the exit code. */
async function session(options: SessionOptions, output: OutputOptions): Promise<void> {
  const began = performance.now();
  const elapsed = () => Math.round((performance.now() - began) * 100) / 100;
  const log = openLog(output.log, output.verbosity, (lost) => say({ type: "warning", ...lost }));
  // Events and keys only arrive once both exist.
  const say = (event: UntimedEvent) => {
    const timed = { ...event, at: elapsed() } as SessionEvent;
    log.write(levelOf(timed), timed.at, timed);
    view.show(timed);
  };
  const running = new Session(options, say, elapsed, (level, entry) => log.write(level, elapsed(), entry));
  const asked = new Set<NodeJS.Signals>();
  const interrupt = (name: "SIGINT" | "SIGTERM" | "SIGHUP") => {
    // The second time: quit immediately. The bridge notices our exit, and the agent then restores by itself.
    if (asked.has(name)) process.exit(SIGNAL_BASE + constants.signals[name]);
    asked.add(name);
    running.end(name);
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => interrupt(name));
  process.on("SIGXFSZ", () => {}); // a file at its size limit is an error like any other: the write reports it
  process.stdout.on("error", () => running.end("stdout was closed"));
  const controls = { session: running, elapsed, interrupt: () => interrupt("SIGINT") };
  const view = await openView(output.form, options, controls);
  log.write("info", elapsed(), logStarted());
  const commands = output.form === "json" ? readCommands(running) : null;
  try {
    process.exitCode = await running.run();
  } catch (error) {
    const report = reportOf(error, "the session failed", running.leftRunning);
    say({ type: "error", ...report });
    log.write("debug", elapsed(), { stack: error instanceof Error ? error.stack : String(error) });
    if (output.verbosity > 0)
      process.stderr.write(`${printable((error instanceof Error && error.stack) || String(error))}\n`);
    process.exitCode = exitCodes[report.code] ?? EXIT.cannotArrive;
  } finally {
    view.close();
    commands?.close();
  }
}

async function choose(): Promise<number | null> {
  const { chooseProcess } = await inProduction(() => import("./ui/choose.js"));
  return chooseProcess();
}

/** Sets exit code 1 if the file was read and nothing in it can be patched. */
function inspect(path: string, { json, verbose, functions }: InspectOptions): void {
  const report = inspectLibrary(path, functions);
  const what = functions.length > 0 ? "functions" : undefined;
  process.stdout.write(`${json ? jsonText(report) : reportLines(report, verbose, what).join("\n")}\n`);
  if (!report.functions.some((one) => one.patchable)) process.exitCode = EXIT.failed;
}

/** Sets exit code 1 if something required is missing. */
async function doctor(wanted: string | null, { json }: Pick<ReportOptions, "json">): Promise<void> {
  const report = await diagnose(wanted);
  process.stdout.write(`${json ? jsonText(report) : doctorLines(report).join("\n")}\n`);
  if (!report.ok) process.exitCode = EXIT.failed;
}

/** Sets exit code 6 if a session would refuse the switch. */
function diff(oldPath: string, newPath: string, { json, verbose, functions }: InspectOptions): void {
  const report = diffLibraries(oldPath, newPath, functions);
  process.stdout.write(`${json ? jsonText(report) : diffLines(report, verbose).join("\n")}\n`);
  if (report.refused !== null) process.exitCode = EXIT.wouldBeRefused;
}

async function main(): Promise<void> {
  const program = parser(VERSION, { session, choose, inspect, diff, doctor });
  for (const command of [program, ...program.commands]) command.exitOverride();
  if (process.argv.length <= 2) return program.outputHelp();
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
      return;
    }
    const report = reportOf(error, "hotpatch could not start", "nothing was touched");
    const { message, detail, running, hint, code } = report;
    const lines = [`error: ${message} [${code}]`, `  why: ${detail}`, `  runs now: ${running}`, `  to do: ${hint}`];
    process.stderr.write(`${lines.map(printable).join("\n")}\n`);
    if (!(error instanceof HotpatchError) && process.argv.includes("-v")) console.error(error);
    process.exitCode = exitCodes[report.code] ?? EXIT.cannotArrive;
  }
}

await main();
// Drain the pipes, then exit: a watcher or a stray handle must not keep a finished tool alive.
if (process.stdout.writableLength > 0)
  await Promise.race([new Promise((resolve) => process.stdout.once("drain", resolve)), wait(DRAIN_MS)]);
process.exit();
