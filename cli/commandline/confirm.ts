/** Asks the user at the terminal, before a session takes the terminal over. */
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import type { Ask } from "./config-trust.js";

/** Null if nobody can answer. Asks on stderr: stdout is for the requested output. */
export function asker(): Ask {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return null;
  return async (question) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    lines.on("SIGINT", () => lines.close()); // like the end of the input: no answer
    const closed = once(lines, "close").then(() => "");
    try {
      const answer = await Promise.race([lines.question(`${question} [y/N] `), closed]);
      return /^y(es)?$/i.test(answer.trim());
    } finally {
      lines.close();
    }
  };
}
