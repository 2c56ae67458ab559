/** A host that does one thing per line of its stdin and answers with one line: nothing depends on time. */
import type { ChildProcess } from "node:child_process";
import { hasEnded, Lines, type Workshop } from "./workshop.js";

export class AskedHost {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #output: Lines;

  constructor(shop: Workshop, program: string, args: readonly string[] = []) {
    this.#child = shop.start(program, args);
    this.pid = this.#child.pid ?? 0;
    this.#output = new Lines(this.#child.stdout);
  }

  /** Everything it has printed so far. */
  get said(): readonly string[] {
    return this.#output.all;
  }

  get ended(): boolean {
    return hasEnded(this.#child);
  }

  /** Its first, unsolicited line. */
  greeting(): Promise<string> {
    return this.#output.next(() => true, "a first line");
  }

  /** Its next line after the question. */
  async ask(question: string): Promise<string> {
    const from = this.#output.all.length;
    this.#child.stdin?.write(`${question}\n`);
    return this.#output.next(() => true, `an answer to "${question}"`, from);
  }
}
