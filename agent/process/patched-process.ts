/** The process while a session is attached: finds its libraries, carries out requests on them, leaves it as asked. */
import type {
  AdoptAnswer,
  AdoptRequest,
  AgentEvent,
  FoundLibrary,
  LibraryStatus,
  LoadAnswer,
  LoadRequest,
  Result,
  StateVariable,
  StatusRequest,
  SwitchAnswer,
  SwitchRequest,
} from "../../schemas/agent.js";
import type { Range } from "../library/copies.js";
import { recordOf } from "../library/record.js";
import { foundLibrary, libraryStatus } from "../library/report.js";
import {
  forgetPins,
  globalSymbol,
  isAlone,
  type LoadedModule,
  loadedModules,
  moduleAt,
  NoRoom,
  pinFridaNeeds,
} from "../os/index.js";
import type { Registry } from "../registry/registry.js";
import { contains } from "../target/extent.js";
import { hearArrivals } from "./arrivals.js";
import { type Followed, FollowedLibraries, type Wanted } from "./followed.js";
import { loadGeneration } from "./load-generation.js";
import { noRoom, notFollowed, ok } from "./result.js";
import type { Log, Session } from "./session.js";
import { switchGeneration } from "./switch-generation.js";

export class PatchedProcess implements Session {
  readonly #registry: Registry;
  readonly #followed: FollowedLibraries;
  readonly #say: (event: AgentEvent) => void;
  readonly #tick: () => void;
  #stopHearing: (() => void) | null = null;
  #ended = false;

  /**
   * @param stage folder that libraries are staged in; null: they are not staged
   * @param tick called every few seconds
   */
  constructor(
    registry: Registry,
    wanted: Wanted,
    stage: string | null,
    say: (event: AgentEvent) => void,
    tick: () => void,
  ) {
    this.#registry = registry;
    this.#say = say;
    this.#tick = tick;
    this.#followed = new FollowedLibraries(registry, wanted, stage, this.log);
  }

  get ended(): boolean {
    return this.#ended;
  }

  readonly log: Log = (level, text) => this.#say({ type: "log", level, text });

  /** Number of marked functions in the executable itself, which cannot be patched. */
  get marksInExecutable(): number {
    return this.#followed.marksInExecutable;
  }

  /**
   * Adopts what is loaded, and from then on every library as soon as it is mapped, before its code runs.
   * @param stopped the host is stopped at its entry point
   */
  begin(stopped: boolean): FoundLibrary[] {
    let alone: boolean | null = null;
    const unused = () => {
      alone ??= stopped && isAlone();
      return alone;
    };
    const modules = loadedModules();
    pinFridaNeeds(modules);
    const found = [...this.#newAmong(modules, unused)];
    const heard = {
      changed: (held: boolean) => this.#changed(held),
      closing: () => this.#closing(),
      tick: this.#tick,
    };
    this.#stopHearing = hearArrivals(this.#registry, heard, this.log);
    // Whatever was loaded after the first look and before the watch began.
    found.push(...this.#newAmong(loadedModules(), unused));
    this.record();
    return found;
  }

  /** The loader's list has changed. @param held see Arrivals. */
  #changed(held: boolean): void {
    if (this.#ended) return;
    try {
      const modules = loadedModules();
      if (held) for (const opened of this.#followed.opened(modules)) void this.#whenFollowed(opened);
      else for (const library of this.#newAmong(modules, () => false)) this.#found(library);
    } catch (error) {
      this.#notExamined(error);
    }
  }

  async #whenFollowed(opened: Promise<Followed | null>): Promise<void> {
    try {
      const followed = await opened;
      if (followed !== null && !this.#ended) this.#found(foundLibrary(...followed));
    } catch (error) {
      this.#notExamined(error);
    }
  }

  #notExamined(error: unknown): void {
    this.log("error", `a newly loaded library could not be examined: ${error}`);
  }

  #closing(): void {
    if (this.#ended) return;
    for (const path of this.#followed.closing()) this.#say({ type: "library:closed", path });
  }

  #found(library: FoundLibrary): void {
    this.#say({ type: "library:found", library });
    this.record();
  }

  /** Yields each of the modules that is newly followed as soon as it is. @param unused see FollowedLibraries.consider. */
  *#newAmong(modules: readonly LoadedModule[], unused: () => boolean): Generator<FoundLibrary> {
    for (const module of modules) {
      const followed = this.#followed.consider(module, unused);
      if (followed !== null) yield foundLibrary(...followed);
    }
  }

  /** Redirects generation 0's functions without marks through the table as well. */
  adopt({ library: id, functions }: AdoptRequest): Result<AdoptAnswer> {
    const library = this.#followed.get(id);
    if (library === undefined) return notFollowed(id);
    const value = library.adoptUnmarked(functions);
    this.record();
    return ok(value);
  }

  async load(request: LoadRequest): Promise<Result<LoadAnswer>> {
    const library = this.#followed.get(request.library);
    if (library === undefined) return notFollowed(request.library);
    this.#followed.expectCopy(request.path);
    return await loadGeneration(library, request, this).catch(noRoom);
  }

  async switchTo(request: SwitchRequest): Promise<Result<SwitchAnswer>> {
    const library = this.#followed.get(request.library);
    return library === undefined ? notFollowed(request.library) : await switchGeneration(library, request, this);
  }

  /** Which module provides each name to generation 0; see `Provider` in schemas/agent.ts. */
  providers(id: string, names: readonly string[]): Result<string[]> {
    const library = this.#followed.get(id);
    if (library === undefined) return notFollowed(id);
    const modules = loadedModules();
    return ok(
      names.map((name) => {
        const address = globalSymbol(name);
        if (address === null) return "none";
        if (contains(library.place, address)) return "own";
        return moduleAt(modules, address)?.path ?? "none";
      }),
    );
  }

  state(id: string): Result<StateVariable[]> {
    const library = this.#followed.get(id);
    return library === undefined ? notFollowed(id) : ok(library.copies.state());
  }

  /** The copies' address ranges, in which a thread may be executing. */
  ranges(): Range[] {
    return this.#followed.all().flatMap(([, library]) => library.copies.ranges);
  }

  /** @param stacks see StatusRequest in schemas/agent.ts. */
  status({ stacks }: StatusRequest): LibraryStatus[] {
    return this.#followed.all().map(([id, library]) => libraryStatus(id, library, stacks));
  }

  /** The last call: after it, unloading the script changes no byte of the host's code. */
  end(keep: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    // Before it stops hearing: what is not pinned may be unmapped unheard afterwards.
    this.#followed.closing();
    this.#stopHearing?.();
    for (const [, library] of this.#followed.all()) {
      if (keep) library.keep();
      else library.restore();
    }
    this.record();
    forgetPins();
    this.#registry.owner = 0;
  }

  record(): void {
    try {
      const mine = this.#followed.all().map(([, library]) => recordOf(library));
      const others = this.#registry.read().filter((r) => !mine.some((m) => m.base === r.base && m.path === r.path));
      this.#registry.write([...others, ...mine]);
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error;
      this.log("error", `the registry for later sessions could not be written: ${error.message}`);
    }
  }
}
