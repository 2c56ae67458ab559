/** What the session knows about one library in the target. Data and small queries; files are read on first use. */
import { dirname } from "node:path";
import type { FoundLibrary, Hooks, RefusedMark } from "../../schemas/agent.js";
import type { Check, FunctionResult, StatusLibrary } from "../../schemas/event.js";
import type { ExportedVariable } from "../binary/exports.js";
import type { VirtualSlots } from "../binary/vtables.js";
import { checkByName, LayoutEvidence } from "../evidence/dwarf.js";
import type { Meanings } from "../evidence/reached.js";
import { compareRecords, NOTHING_RECORDED, type Recorded } from "../evidence/record.js";
import { changesIn, type StateVerdict, strictest, type Verdicts } from "../evidence/verdict.js";
import type { Layouts } from "../layout/type.js";
import { type Code, compare } from "../steps/compare.js";
import { type Alias, aliasesOf, type Entries } from "./aliases.js";
import { demangle } from "./demangle.js";
import { whatIsReached } from "./reached.js";
import { NO_SOURCES, type Sources } from "./source-lines.js";

export const NO_HOOKS: Hooks = { before: null, after: null };
/** For a generation whose file is gone. */
const UNKNOWN = {
  code: null,
  meanings: new Map(),
  records: NOTHING_RECORDED,
  layouts: () => null,
  hooks: NO_HOOKS,
  sources: async () => NO_SOURCES,
};
export interface KnownGeneration {
  readonly generation: number;
  /** ms since the session began; negative or 0: before it. */
  readonly at: number;
  readonly buildId: string | null;
  /** sha256 of the artifact it was made from; null if unknown. */
  readonly hash: string | null;
  /** For its own functions, not those it inherits; null if its file is gone. */
  readonly code: Code | null;
  /** What the code of each refers to. */
  readonly meanings: Meanings;
  /** What it was built with; null if its file is gone. Read on first use. */
  readonly layouts: () => Layouts | null;
  /** Where its own functions are defined. Looked up on first use. */
  readonly sources: () => Promise<Sources>;
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
  /** Its folders as the target sees them: where the host opened it, the resolved one, and where it is built. */
  readonly folders: readonly string[];
  readonly generations = new Map<number, KnownGeneration>();
  /** Every function any generation has had. */
  readonly functions: Set<string>;
  /** Those without a mark in generation 0. */
  readonly unmarked: Set<string>;
  /** Functions that --functions selects but generation 0 cannot provide: they stay out of this session. */
  readonly unpatchable = new Map<string, RefusedMark>();
  /** Functions that shared an entry in some generation. */
  readonly aliases: Alias[] = [];
  /** What each slot of a vtable had first. */
  readonly #virtuals = new Map<string, string>();
  /** Builds whose vtables have not been read yet. */
  readonly #unread: (() => VirtualSlots)[] = [];
  /** Generation 0's exported variables; empty if its file is gone. */
  exports: ReadonlyMap<string, ExportedVariable> = new Map();
  running: number;
  /** Generation -> function -> the generation whose body runs while that one does. */
  readonly #bodies = new Map<number, ReadonlyMap<string, number>>();
  /** The evidence for each function's last switch. */
  readonly #checks = new Map<string, Check>();
  /** Of persistent variables: by the newest generation, and by the last build that was judged. */
  #state: ReadonlyMap<string, StateVerdict> = new Map();
  #judgedState: ReadonlyMap<string, StateVerdict> = new Map();
  /** Failed loads of copies with the next number: a file name is never used twice. */
  attempts = 0;
  /** The artifact last judged: its identity (file-identity.ts) and the sha256 of its bytes. */
  judged: { readonly writing: string; readonly hash: string } | null = null;
  /** Set while an artifact of this library waits in the queue. */
  pending = false;
  /** Aborts a settle overtaken by a newer change. */
  overtake = new AbortController();

  /** @param built the artifact as the target sees it; null if it cannot */
  constructor(found: FoundLibrary, artifact: string, built: string | null = null) {
    this.name = found.library;
    this.loadedFrom = found.path;
    this.artifact = artifact;
    const paths = [found.openedAs ?? found.path, found.path, ...(built === null ? [] : [built])];
    this.folders = [...new Set(paths.map((path) => dirname(path)))];
    this.running = found.running;
    this.functions = new Set(found.functions.map((f) => f.name));
    this.unmarked = new Set(found.unmarked);
    for (const g of found.generations) this.generations.set(g.generation, { ...g, at: 0, ...UNKNOWN });
    this.#bodies.set(found.running, new Map(found.functions.map((f) => [f.name, f.generation])));
  }

  /** The number of the next copy that is loaded and accepted. */
  get next(): number {
    return Math.max(...this.generations.keys()) + 1;
  }

  get runs(): KnownGeneration {
    const known = this.generations.get(this.running);
    if (known === undefined) throw new Error(`${this.name} runs generation ${this.running}, which is unknown`);
    return known;
  }

  get newest(): number {
    return this.next - 1;
  }

  /**
   * What callers and live data of the library rely on: for each function and type what the running generation says,
   * otherwise the oldest one that says anything.
   */
  get recorded(): Recorded {
    const all = [this.runs, ...this.generations.values()].map((generation) => generation.records).reverse();
    return {
      functions: new Map(all.flatMap(({ functions }) => [...functions])),
      types: new Map(all.flatMap(({ types }) => [...types])),
      compiler: this.runs.records.compiler,
    };
  }

  /** Adds a copy that has been loaded and accepted. */
  add(generation: KnownGeneration, entries: Entries): void {
    const own = [...(generation.code?.keys() ?? [])].map((name) => [name, generation.generation] as const);
    this.#bodies.set(generation.generation, new Map([...this.#bodiesOf(this.running), ...own]));
    this.generations.set(generation.generation, generation);
    this.#state = this.#judgedState;
    this.aliases.push(...aliasesOf(entries));
    this.attempts = 0;
    for (const name of generation.code?.keys() ?? []) this.functions.add(name);
  }

  /** What a function's running body was built with; null if unknown. */
  layoutsBehind(name: string): Layouts | null {
    return this.#layoutsOf(this.#bodiesOf(this.running).get(name) ?? this.running);
  }

  /**
   * What a build means to callers and live data. It is compared with the running bodies, which already use the live
   * data that earlier generations laid out.
   * @param after functions of the build
   */
  judge(after: Code, layouts: Layouts | null, records: Recorded): Verdicts {
    const known = [...after.keys()].filter((name) => this.functions.has(name));
    const byRecord = compareRecords(this.recorded, records);
    if (layouts === null) return byRecord;
    return strictest(
      new LayoutEvidence(layouts).functions(
        known,
        (name) => this.layoutsBehind(name),
        (name) => this.#codeBehind(name) === after.get(name),
      ),
      byRecord,
    );
  }

  /** What a build means to the live persistent variables, against the last build that had each. */
  judgeState(layouts: Layouts): ReadonlyMap<string, StateVerdict> {
    const evidence = new LayoutEvidence(layouts);
    const numbers = [this.running, ...[...this.generations.keys()].sort((a, b) => b - a)];
    const verdicts = new Map<string, StateVerdict>();
    for (const name of layouts.state.keys()) {
      const before = numbers.map((number) => this.#layoutsOf(number)).find((one) => one?.state.has(name));
      if (before !== undefined) verdicts.set(name, evidence.state(name, before));
    }
    this.#judgedState = verdicts;
    return verdicts;
  }

  /** Generation 0's unmarked functions: those that now redirect through the table, and those that do not. */
  adopt(names: readonly string[], refused: readonly RefusedMark[]): void {
    const zero = this.generations.get(0);
    const fresh = names.filter((name) => !this.functions.has(name));
    if (zero !== undefined) this.generations.set(0, { ...zero, functions: zero.functions + fresh.length });
    for (const name of names) {
      this.functions.add(name);
      this.unmarked.add(name);
    }
    for (const one of refused) this.unpatchable.set(one.name, one);
  }

  /** What a switch to a known generation does to each function. Nothing is refused: going back must always work. */
  changesTo(generation: number): FunctionResult[] {
    const after = this.generations.get(generation);
    const known = [...this.functions];
    if (after?.code == null) return known.map((name) => ({ name, status: "switched", check: checkByName(name) }));
    const verdicts = this.judge(after.code, after.layouts(), after.records);
    const leniency = { partial: false, force: changesIn(verdicts).size > 0 };
    const reached = whatIsReached(this.runs.meanings, after.meanings);
    return compare({ known, before: this.runs.code, after: after.code, verdicts, reached, leniency }).functions;
  }

  /** Objects may have this build's vtables. It is read when that is needed, or at `virtuals`. */
  hasVirtuals(read: () => VirtualSlots): void {
    this.#unread.push(read);
  }

  /** What objects that were made by earlier builds call. */
  get virtuals(): VirtualSlots {
    for (const read of this.#unread.splice(0))
      for (const [slot, name] of read()) if (!this.#virtuals.has(slot)) this.#virtuals.set(slot, name);
    return this.#virtuals;
  }

  /** The library runs another generation. */
  switched(generation: number, functions: readonly FunctionResult[]): void {
    this.running = generation;
    for (const { name, check } of functions) this.#checks.set(name, check);
  }

  /** Where each function's running body is defined, if known. */
  async sources(): Promise<Sources> {
    const bodies = this.#bodiesOf(this.running);
    const found = new Map<string, string>();
    for (const generation of new Set(bodies.values())) {
      const sources = (await this.generations.get(generation)?.sources()) ?? NO_SOURCES;
      for (const [name, source] of sources) if (bodies.get(name) === generation) found.set(name, source);
    }
    return found;
  }

  checkOf(name: string): Check {
    return this.#checks.get(name) ?? checkByName(name);
  }

  #layoutsOf(generation: number): Layouts | null {
    return this.generations.get(generation)?.layouts() ?? null;
  }

  /** The code of a function's running body; undefined if its file is gone. */
  #codeBehind(name: string): string | undefined {
    const generation = this.#bodiesOf(this.running).get(name) ?? this.running;
    return this.generations.get(generation)?.code?.get(name);
  }

  #bodiesOf(generation: number): ReadonlyMap<string, number> {
    let bodies = this.#bodies.get(generation);
    if (bodies === undefined) {
      const names = [...(this.generations.get(generation)?.code?.keys() ?? [])];
      bodies = new Map(names.map((name) => [name, generation]));
      this.#bodies.set(generation, bodies);
    }
    return bodies;
  }

  /** What runs, as error texts put it. */
  get runsText(): string {
    return `generation ${this.running} of ${this.name}${this.running === 0 ? " (the host's own code)" : ""}`;
  }

  status(functions: StatusLibrary["functions"], otherThreads: number | null): StatusLibrary {
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
      otherThreads,
      state: this.#stateNow(),
    };
  }

  #stateNow(): StatusLibrary["state"] {
    const names = demangle([...this.#state.keys()]);
    return [...this.#state.values()].map(({ check, reason }, i) => ({
      name: names[i] ?? "",
      check,
      ...(reason !== undefined && { reason }),
    }));
  }
}
