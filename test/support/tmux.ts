/** A real terminal: tmux with a separate server, which ends with the test. */
import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import type { ExecutionContext } from "ava";
import { CLI } from "./tool.js";
import type { Workshop } from "./workshop.js";

const run = promisify(execFile);

/** Null if there is none. In CI that is a failure, not a reason to skip. */
export function tmuxVersion(): string | null {
  try {
    return execFileSync("tmux", ["-V"], { encoding: "utf8" }).trim();
  } catch (error) {
    if (process.env.CI) throw error;
    return null;
  }
}

/** ms between polls of the screen. */
const LOOK_MS = 50;

export interface TmuxOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** What the shell runs when the program has exited or stopped. */
  readonly then?: readonly string[];
}

let servers = 0;

export class Tmux {
  readonly #socket: string;
  readonly #shop: Workshop;

  private constructor(shop: Workshop, socket: string) {
    this.#shop = shop;
    this.#socket = socket;
  }

  /**
   * Runs the built program in a terminal of this size, under a shell that then prints its exit code and terminal modes.
   */
  static async start(
    t: ExecutionContext,
    shop: Workshop,
    args: readonly string[],
    { columns = 80, rows = 24, env = {}, then = ["stty -a", "cat"] }: TmuxOptions = {},
  ): Promise<Tmux> {
    const tmux = new Tmux(shop, `hotpatch-test-${process.pid}-${servers++}`);
    t.teardown(() => tmux.#tell(["kill-server"]).catch(() => "")); // it ends by itself with its last window
    const quoted = [process.execPath, CLI, ...args].map((arg) => `'${arg.replaceAll("'", `'\\''`)}'`).join(" ");
    const settings = Object.entries({ LANG: "C.UTF-8", TMPDIR: shop.temp, ...env });
    const script = shop.write(
      "terminal.sh",
      [
        "unset CI NO_COLOR",
        ...settings.map(([name, value]) => `export ${name}='${value}'`),
        `cd '${shop.folder}'`,
        quoted,
        'echo "exit code $?"',
        ...then,
      ].join("\n"),
    );
    const size = ["-x", String(columns), "-y", String(rows)];
    // An interactive shell, which gives the terminal to each job and takes it back, like a user's.
    await tmux.#tell(["-f", "/dev/null", "new-session", "-d", ...size, `bash --norc -i -c '. ${script}'`]);
    return tmux;
  }

  /** As when the user closes the window: the terminal is gone. */
  async close(): Promise<void> {
    await this.#tell(["kill-server"]);
  }

  async keys(...keys: string[]): Promise<void> {
    await this.#tell(["send-keys", ...keys]);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tell(["resize-window", "-x", String(columns), "-y", String(rows)]);
  }

  /** The rows of the screen; with their colours when `escapes` is set. */
  async rows(escapes = false): Promise<string[]> {
    return (await this.#tell(["capture-pane", "-p", ...(escapes ? ["-e"] : [])])).split("\n").slice(0, -1);
  }

  /** The screen as soon as it matches. Rejects after `ms` with what it showed instead. */
  async shows(fits: RegExp, ms = 30_000): Promise<string> {
    const until = Date.now() + ms;
    for (;;) {
      const text = (await this.rows()).join("\n");
      if (fits.test(text)) return text;
      if (Date.now() > until) throw new Error(`the screen did not show ${fits} in ${ms} ms:\n${text}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS)); // tmux does not notify of screen changes
    }
  }

  /** The pid of the program in the terminal. */
  async pid(): Promise<number> {
    const shell = Number((await this.#tell(["display-message", "-p", "#{pane_pid}"])).trim());
    const { stdout } = await run("ps", ["-o", "pid=,args=", "--ppid", String(shell)]);
    const line = stdout.split("\n").find((text) => text.includes(CLI));
    if (line === undefined) throw new Error(`nothing of ours runs under pid ${shell}: ${stdout}`);
    return Number(line.trim().split(" ")[0]);
  }

  /** A mode of the pane: 1 while it is set. */
  async mode(name: "alternate_on" | "cursor_flag" | "wrap_flag"): Promise<boolean> {
    return (await this.#tell(["display-message", "-p", `#{${name}}`])).trim() === "1";
  }

  async #tell(args: readonly string[]): Promise<string> {
    const { TMUX: _, ...env } = process.env; // tests may themselves run in a tmux
    const { stdout } = await run("tmux", ["-L", this.#socket, ...args], { cwd: this.#shop.folder, env });
    return stdout;
  }
}
