/**
 * One round of the campaign: a host of some kind, some sessions with it, in each of them steps at random, each looked at by
 * what the host itself prints. Throws a Fault at what must never be.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type EventOf, Tool } from "../support/tool.js";
import type { Workshop } from "../support/workshop.js";
import { Fault, Host } from "./host.js";
import { type Kind, VALUES } from "./kinds.js";
import type { Random } from "./random.js";

/** What was done, by name. */
export type Counts = Map<string, number>;

/** ms that a session may take to say something, on a busy machine; a status is promised within 2 s. */
const ANSWER_MS = 30_000;
const STATUS_MS = 10_000;

const STEPS = ["edit", "edit", "rollback", "restore", "status", "status"] as const;
const ENDS = ["end", "end", "end", "keep", "kill the tool", "kill the bridge"] as const;
/** How many tools come in the same moment. */
const CROWDS = [1, 1, 1, 2, 3, 5] as const;

export class Round {
  readonly #shop: Workshop;
  readonly #kind: Kind;
  readonly #random: Random;
  readonly #counts: Counts;
  readonly #library: string;
  /** Generation -> what its code gives. */
  readonly #values = new Map<number, number>([[0, VALUES[0]]]);
  #placed: number = VALUES[0];
  #running = 0;

  constructor(shop: Workshop, kind: Kind, random: Random, counts: Counts, number: number) {
    this.#shop = shop;
    this.#kind = kind;
    this.#random = random;
    this.#counts = counts;
    const folder = shop.path(`round${number}`);
    mkdirSync(folder);
    this.#library = join(folder, "libgame.so");
    kind.place(VALUES[0], this.#library);
  }

  async run(): Promise<void> {
    if (this.#kind.spawns && this.#random.below(4) === 0) return this.#spawned();
    const host = await Host.start(this.#shop, this.#kind.command(this.#library));
    try {
      const sessions = 1 + this.#random.below(3);
      for (let i = 0; i < sessions; i++) await this.#attached(host);
    } finally {
      await host.end();
    }
  }

  async #spawned(): Promise<void> {
    const tool = Tool.spawn(this.#shop, ["-l", this.#library, "--", ...this.#kind.command(this.#library)]);
    await this.#expect(tool, "library:found");
    await this.#expect(tool, "session:ready");
    this.#count("spawned");
    const host = Host.spawned(tool.pid, tool.output);
    await host.prints(VALUES[0], "after the start");
    await this.#steps(tool, host);
    if ((await tool.end()) !== 0) throw new Fault(`end: the tool ended with ${(await tool.ended).code}`);
    this.#count("end");
  }

  async #attached(host: Host): Promise<void> {
    // What lies there when a session begins is taken at once where it is not what runs.
    this.#kind.place(this.#valueNow, this.#library);
    this.#placed = this.#valueNow;
    const tools = Array.from({ length: this.#random.pick(CROWDS) }, () =>
      Tool.attach(this.#shop, ["-l", this.#library, String(host.pid)]),
    );
    const began = await Promise.all(tools.map((tool) => this.#begins(tool)));
    await host.prints(this.#valueNow, "attach");
    const refusals = began.filter((one) => one !== "ready");
    if (this.#kind.refused !== null) {
      if (refusals.some((code) => code !== this.#kind.refused && code !== "attach-busy"))
        throw new Fault(`attach: ${refusals.join(", ")} instead of ${this.#kind.refused}`);
      return this.#count("refused", refusals.length);
    }
    if (this.#kind.cuts) return this.#cut(tools, host);
    const winner = tools[began.indexOf("ready")];
    if (winner === undefined || refusals.some((code) => code !== "attach-busy"))
      throw new Fault(`attach: ${tools.length} tools: ${began.join(", ")}: ${tools.map(whatWentWrong).join(" / ")}`);
    this.#count("attached");
    this.#count("busy", refusals.length);
    await host.checkMasks("in a session");
    await this.#steps(winner, host);
    await this.#leave(winner, host, this.#random.pick(ENDS));
    await host.checkMasks("after a session");
  }

  /** "ready", or the code of the refusal. */
  async #begins(tool: Tool): Promise<string> {
    const ready = tool.next("session:ready", () => true, 0, ANSWER_MS).then(() => "ready");
    const refused = tool.next("error", () => true, 0, ANSWER_MS).then((error) => error.code as string);
    const first = await Promise.any([ready, refused]).catch(() => {
      throw new Fault(`attach: nothing was said in ${ANSWER_MS} ms`);
    });
    ready.catch(() => {});
    refused.catch(() => {});
    if (first !== "ready") await tool.ended;
    return first;
  }

  /** The host cuts the agent off: the session ends by itself, or was refused, and the host's own code runs. */
  async #cut(tools: readonly Tool[], host: Host): Promise<void> {
    await Promise.all(tools.map((tool) => this.#within(tool.ended, "a session that was cut off")));
    await host.prints(VALUES[0], "after being cut off");
    this.#count("cut off", tools.length);
  }

  async #steps(tool: Tool, host: Host): Promise<void> {
    const steps = 2 + this.#random.below(5);
    for (let i = 0; i < steps; i++) {
      const step = this.#random.pick(STEPS);
      const from = tool.events.length;
      if (step === "status") await this.#status(tool, from);
      else {
        if (step === "edit") await this.#edit(tool, from);
        else await this.#back(tool, from, step === "restore" ? 0 : this.#random.pick([...this.#values.keys()]));
        await host.prints(this.#valueNow, step);
      }
      this.#count(step);
    }
  }

  async #edit(tool: Tool, from: number): Promise<void> {
    const value = this.#random.pick(VALUES.filter((one) => one !== this.#placed && one !== this.#valueNow));
    this.#placed = value;
    this.#kind.place(value, this.#library);
    const switched = await this.#expect(tool, "generation:switched", from);
    this.#values.set(switched.generation, value);
    this.#running = switched.generation;
  }

  async #back(tool: Tool, from: number, generation: number): Promise<void> {
    tool.send({ command: "rollback", generation });
    await this.#expect(tool, "generation:switched", from);
    this.#running = generation;
  }

  async #status(tool: Tool, from: number): Promise<void> {
    const asked = performance.now();
    tool.send({ command: "status" });
    const { libraries } = await this.#expect(tool, "status", from, STATUS_MS);
    const ms = performance.now() - asked;
    if (ms > 2500) this.#count("slow status");
    const said = libraries[0];
    if (said?.generation !== this.#running)
      throw new Fault(`status: says generation ${said?.generation}, ${this.#running} runs`);
    const wrong = said.functions.find((one) => one.generation !== this.#running);
    if (wrong !== undefined) throw new Fault(`status: ${wrong.name} at generation ${wrong.generation}`);
    if (said.functions.some((one) => one.oldThreads === null)) this.#count("null status");
  }

  async #leave(tool: Tool, host: Host, how: (typeof ENDS)[number]): Promise<void> {
    if (how === "end" || how === "keep") {
      const code = await this.#within(tool.end(how === "keep"), how);
      const ended = tool.events.find((event) => event.type === "session:ended");
      if (code !== 0 || ended?.type !== "session:ended") throw new Fault(`${how}: the tool ended with ${code}`);
      if (ended.restored !== (how === "end")) throw new Fault(`${how}: restored is ${ended.restored}`);
    } else {
      process.kill(how === "kill the tool" ? (tool.child.pid ?? 0) : tool.bridge(), "SIGKILL");
      await this.#within(tool.ended, how);
    }
    this.#count(how);
    if (how !== "keep") this.#running = 0;
    // Whoever was killed cannot say when the agent has gone: it notices by itself.
    if (how.startsWith("kill")) await sleep(1000);
    await host.prints(this.#valueNow, how);
  }

  get #valueNow(): number {
    return this.#values.get(this.#running) ?? VALUES[0];
  }

  async #expect<T extends Parameters<Tool["next"]>[0]>(
    tool: Tool,
    type: T,
    from = 0,
    ms = ANSWER_MS,
  ): Promise<EventOf<T>> {
    return tool
      .next(type, () => true, from, ms)
      .catch((error: Error) => {
        const wrong = tool.events.slice(from).find((e) => e.type === "error" || e.type === "generation:refused");
        throw new Fault(`no ${type}: ${wrong === undefined ? error.message.slice(0, 300) : JSON.stringify(wrong)}`);
      });
  }

  async #within<T>(promise: Promise<T>, during: string): Promise<T> {
    const late = new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Fault(`${during}: the tool has not ended after ${ANSWER_MS} ms`)), ANSWER_MS).unref(),
    );
    return Promise.race([promise, late]);
  }

  #count(what: string, by = 1): void {
    if (by > 0) this.#counts.set(what, (this.#counts.get(what) ?? 0) + by);
  }
}

/** The first error's own words. */
const whatWentWrong = (tool: Tool): string =>
  tool.events.flatMap((event) => (event.type === "error" ? `${event.message}: ${event.detail}` : []))[0] ?? "";
