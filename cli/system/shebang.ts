/** Resolves scripts to the command that the kernel runs. Reads the file's first bytes; starts nothing. */
import { closeSync, openSync, readSync } from "node:fs";

/** Bytes of a first line that the kernel reads. Source: execve(2), BINPRM_BUF_SIZE. */
const LONGEST = 256;
/** Nested interpreters that the kernel follows. */
const DEEPEST = 4;

/**
 * The command that the kernel makes of a script: the interpreter, its argument, and the script's path; any other
 * command unchanged. Frida starts executables only.
 */
export function commandOf(program: string, args: readonly string[], depth = 0): { program: string; args: string[] } {
  const line = depth < DEEPEST ? /^#![ \t]*(\S+)(?:[ \t]+(.*?))?[ \t]*$/.exec(firstLine(program)) : null;
  const [, interpreter, argument] = line ?? [];
  if (interpreter === undefined) return { program, args: [...args] };
  const given = argument === undefined || argument === "" ? [] : [argument];
  return commandOf(interpreter, [...given, program, ...args], depth + 1);
}

/** "" if the file cannot be read: starting it reports why. */
function firstLine(path: string): string {
  const bytes = Buffer.alloc(LONGEST);
  try {
    const file = openSync(path, "r");
    try {
      const size = readSync(file, bytes, 0, LONGEST, 0);
      return bytes.toString("utf8", 0, size).split("\n", 1)[0] ?? "";
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}
