/** Commands on stdin under --json: one object per line. End of input means `end` only if stdin was an open pipe. */

import { fstatSync } from "node:fs";
import { Command } from "../../schemas/command.js";
import { wordsOf } from "../errors.js";

export interface CommandSink {
  command(command: Command): void;
  badCommand(line: string, detail: string): void;
  end(reason: string): void;
}

/** Characters. A longer line is refused without being buffered. */
const LONGEST = 64 * 1024;
/** Characters of a bad line that its error quotes. */
const SHOWN = 200;

/** Reads until stdin ends; `close` stops it and lets the process exit. */
export function readCommands(sink: CommandSink): { close(): void } {
  const stdin = process.stdin;
  let rest = "";
  const take = (line: string) => {
    const text = line.trim();
    if (text === "") return;
    const parsed = parse(text);
    if (typeof parsed === "string") sink.badCommand(text.slice(0, SHOWN), parsed);
    else sink.command(parsed);
  };
  const onData = (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
    if (rest.length > LONGEST) {
      sink.badCommand(rest.slice(0, SHOWN), `the line is longer than ${LONGEST} characters`);
      rest = "";
    }
  };
  const onEnd = () => {
    take(rest);
    if (isPipe()) sink.end("stdin ended");
  };
  stdin.setEncoding("utf8");
  stdin.on("data", onData);
  stdin.on("end", onEnd);
  return {
    close() {
      stdin.off("data", onData);
      stdin.off("end", onEnd);
      stdin.destroy();
    },
  };
}

function isPipe(): boolean {
  try {
    const stat = fstatSync(0);
    return stat.isFIFO() || stat.isSocket();
  } catch {
    return false; // closed from the start, like </dev/null
  }
}

function parse(text: string): Command | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return wordsOf(error);
  }
  const parsed = Command.safeParse(value);
  if (parsed.success) return parsed.data;
  return parsed.error.issues.map((i) => `${i.path.join(".") || "the line"}: ${i.message}`).join("; ");
}
