/** What the session knows of one library in the target. Data and small questions; no I/O. */
import type { FoundLibrary, Hooks } from "../schemas/agent.js";
import type { Check, FunctionResult, StatusLibrary } from "../schemas/event.js";
import type { ExportedVariable } from "./binary/exports.js";
import { compareRecords, NOTHING_RECORDED, type Recorded } from "./evidence/record.js";
import { type Alias, aliasesOf, type Entries } from "./steps/aliases.js";
import { type Code, checkOf, compare } from "./steps/compare.js";

export const NO_HOOKS: Hooks = { before: null, after: null };
/** Of a generation whose file is gone. */
const UNKNOWN = { code: null, records: NOTHING_RECORDED, hooks: NO_HOOKS };

export interface KnownGeneration {
  readonly generation: number;
  /** ms since the session began; negative or 0: before it. */
  readonly at: number;
  readonly buildId: string | null;
  /** sha256 of the artifact it was made of; null where unknown. */
  readonly hash: string | null;
  /** null where its file is gone. */
  readonly code: Code | null;
  readonly records: Recorded;
  readonly hooks: Hooks;
  readonly functions: number;
}

export class FollowedLibrary {
  /** File name: what events call it, and its id in the agent's requests. */
  readonly name: string;
  /** Path the host loaded it from. */
  readonly loadedFrom: string;
  /** Path that the build writes. */
  readonly artifact: string;
  readonly generations = new Map<number, KnownGeneration>();
  /** Every function any generation has had. */
  readonly functions: Set<string>;
  /** Functions that were one in some generation. */
  readonly aliases: Alias[] = [];
  /** Generation 0's exported variables; empty where its file is gone. */
  exports: ReadonlyMap<string, ExportedVariable> = new Map();
  running: number;
  /** On what each function's last switch rested. */
  readonly #checks = new Map<string, Check>();
  /** Copies tried with the next number whose load failed: a file name is never used twice. */
  attempts = 0;
  /** Set while an artifact of this library waits in the queue. */
  pending = false;
  /** Ends a settle that a newer change has overtaken. */
  overtake = new AbortController();

  constructor(found: FoundLibrary, artifact: string) {
    this.name = found.library;
    this.loadedFrom = found.path;
    this.artifact = artifact;
    this.running = found.running;
    this.functions = new Set(found.functions.map((f) => f.name));
    for (const g of found.generations) this.generations.set(g.generation, { ...g, at: 0, ...UNKNOWN });
  }

  /** The number a copy gets when it has been loaded and accepted. */
  get next(): number {
    return Math.max(...this.generations.keys()) + 1;
  }

  get runs(): KnownGeneration {
    const known = this.generations.get(this.running);
    if (known === undefined) throw new Error(`${this.name} runs generation ${this.running}, which nobody knows`);
    return known;
  }

  get newest(): number {
    return this.next - 1;
  }

  /**
   * What callers and live data of the library rely on: of each function and type what the running generation says, else
   * the oldest one that says anything.
   */
  get recorded(): Recorded {
    const all = [this.runs, ...this.generations.values()].map((generation) => generation.records).reverse();
    return {
      functions: new Map(all.flatMap(({ functions }) => [...functions])),
      types: new Map(all.flatMap(({ types }) => [...types])),
      compiler: this.runs.records.compiler,
    };
  }

  checkOf(name: string): Check {
    return this.#checks.get(name) ?? checkOf(name);
  }

  /** The library runs another generation. */
  switched(generation: number, functions: readonly FunctionResult[]): void {
    this.running = generation;
    for (const { name, check } of functions) this.#checks.set(name, check);
  }

  /** Takes in a copy that has been loaded and accepted. */
  add(generation: KnownGeneration, entries: Entries): void {
    this.generations.set(generation.generation, generation);
    this.aliases.push(...aliasesOf(entries));
    this.attempts = 0;
    for (const name of generation.code?.keys() ?? []) this.functions.add(name);
  }

  /** What a switch to a known generation does to each function. */
  changesTo(generation: number): FunctionResult[] {
    const after = this.generations.get(generation);
    const known = [...this.functions];
    if (after?.code != null) {
      const verdicts = compareRecords(this.recorded, after.records);
      return compare(known, this.runs.code, after.code, [], verdicts);
    }
    return known.map((name) => ({ name, status: "switched", check: checkOf(name) }));
  }

  /** For errors. */
  get runsText(): string {
    return `generation ${this.running} of ${this.name}${this.running === 0 ? " (the host's own code)" : ""}`;
  }

  status(functions: StatusLibrary["functions"]): StatusLibrary {
    return {
      library: this.name,
      generation: this.running,
      generations: [...this.generations.values()].map(({ generation, at, buildId, functions: n }) => ({
        generation,
        at,
        buildId,
        functions: n,
      })),
      functions,
    };
  }
}
