/** All patched libraries of this process: finds them now and as they appear, and leaves the process as asked. */
import { HOOKS } from "../../schemas/abi.js";
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
import { copyName } from "../../schemas/names.js";
import { codeWriter } from "../arch/index.js";
import { Library, type Range, type Staged } from "../library/library.js";
import { executableMarks, type Mark, type ModuleMarks, marksOf } from "../marks/marks.js";
import {
  forgetPins,
  globalSymbol,
  isAlone,
  type LoadedModule,
  LoaderWatch,
  load,
  loadedModules,
  MemoryGone,
  moduleAt,
  NoRoom,
  now,
  pin,
  pinFridaNeeds,
  pinLater,
  stage,
} from "../os/index.js";
import type { Registry } from "../registry/registry.js";
import { addressOf } from "../target/address.js";
import { contains, type Place } from "../target/extent.js";
import { wordsAt } from "../target/words.js";
import { callHook } from "./hook.js";

const fail = (code: Extract<Result<never>, { ok: false }>["error"]["code"], detail: string): Result<never> => ({
  ok: false,
  error: { code, detail },
});

const fileName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Which modules are followed. */
export interface Wanted {
  /** File names or SONAMEs; null: all with marks. */
  readonly names: readonly string[] | null;
  /** Whether the named ones are followed without marks too. */
  readonly unmarked: boolean;
}

export class PatchedProcess {
  readonly #libraries = new Map<string, Library>();
  readonly #registry: Registry;
  readonly #wanted: ReadonlySet<string> | null;
  readonly #unmarked: boolean;
  /** Folder for the files that libraries are staged in; null: they are not. */
  readonly #stage: string | null;
  readonly #say: (event: AgentEvent) => void;
  /** Called every few seconds. */
  readonly #tick: () => void;
  #watch: LoaderWatch | null = null;
  /** Bases of modules that are being looked at: our two threads take turns in the script, and see the same modules. */
  readonly #underWay = new Set<string>();
  /** Looks for libraries that appear, where the loader does not tell of them. */
  #looking: ReturnType<typeof setInterval> | null = null;
  #ended = false;
  /** Paths of copies, loading or loaded: they belong to the library of their generation 0. */
  readonly #copies = new Set<string>();
  /** Marked functions of the executable itself, which cannot be patched. */
  readonly marksInExecutable: number;
  /** Inline functions in the executable that no library has claimed yet. */
  readonly #inlineCopies: Map<string, Mark>;

  constructor(
    registry: Registry,
    { names, unmarked }: Wanted,
    stage: string | null,
    say: (event: AgentEvent) => void,
    tick: () => void,
  ) {
    this.#registry = registry;
    this.#wanted = names === null ? null : new Set(names);
    this.#unmarked = unmarked && names !== null;
    this.#stage = stage;
    this.#say = say;
    this.#tick = tick;
    const { own, inline } = executableMarks(Process.mainModule);
    this.marksInExecutable = own;
    this.#inlineCopies = new Map(inline.map((mark) => [mark.name, mark]));
    for (const record of registry.read())
      for (const g of record.generations) if (g.generation > 0) this.#copies.add(g.path);
  }

  /**
   * Adopts what is loaded, and from then on every library the moment it is mapped, before its code runs.
   * @param stopped the host stands still at its entry point
   */
  begin(stopped: boolean): FoundLibrary[] {
    let alone: boolean | null = null;
    const unused = () => {
      alone ??= stopped && isAlone();
      return alone;
    };
    const modules = loadedModules();
    pinFridaNeeds(modules);
    for (const module of modules) this.#consider(module, unused, false);
    const found = [...this.#libraries].map(([id, library]) => library.found(id));
    const watch = LoaderWatch.start(
      this.#registry.watched,
      () => this.#arrived(true),
      () => this.#tick(),
    );
    if (typeof watch === "string") {
      this.#log("debug", `polling for new libraries every ${LOOK_MS} ms: ${watch}`);
      this.#looking = setInterval(() => {
        this.#arrived(false);
        this.#tick();
      }, LOOK_MS);
    } else {
      this.#watch = watch;
      this.#registry.watched = watch.watched;
    }
    // What the loader finished between the two looks.
    for (const module of loadedModules()) {
      const id = this.#consider(module, unused, false);
      const library = id === null ? undefined : this.#libraries.get(id);
      if (id !== null && library !== undefined) found.push(library.found(id));
    }
    this.#record();
    return found;
  }

  /**
   * The loader's list has changed.
   * @param held the thread that changed it waits in the loader: no thread can close what is new, nor uses it yet
   */
  #arrived(held: boolean): void {
    if (this.#ended) return;
    try {
      for (const module of loadedModules()) {
        const id = this.#consider(module, () => held, held);
        const library = id === null ? undefined : this.#libraries.get(id);
        if (id === null || library === undefined) continue;
        this.#say({ type: "library:found", library: library.found(id) });
        // Not here: the loader is at work on this very library.
        setTimeout(() => this.#record(), 0);
      }
    } catch (error) {
      this.#say({ type: "log", level: "error", text: `a newly loaded library could not be examined: ${error}` });
    }
  }

  /** Leads functions of generation 0 that have no mark through the table as well. */
  adopt({ library: id, functions }: AdoptRequest): Result<AdoptAnswer> {
    const library = this.#libraries.get(id);
    if (library === undefined) return fail("internal", `${id} is not followed`);
    const value = library.adoptUnmarked(functions);
    this.#record();
    return { ok: true, value };
  }

  async load(request: LoadRequest): Promise<Result<LoadAnswer>> {
    try {
      return await this.#load(request);
    } catch (error) {
      if (error instanceof NoRoom) return fail("no-room", error.message);
      throw error;
    }
  }

  async #load(request: LoadRequest): Promise<Result<LoadAnswer>> {
    const library = this.#libraries.get(request.library);
    if (library === undefined) return fail("internal", `${request.library} is not followed`);
    this.#copies.add(request.path);
    const loaded = await load(request.path, request.timeoutMs);
    if (loaded.kind === "failed") return fail("load-failed", loaded.detail);
    if (loaded.kind === "timeout")
      return fail(
        "load-timeout",
        `not finished after ${request.timeoutMs} ms: a constructor of the copy has not returned`,
      );
    if (this.#ended) return fail("internal", "the session ended while the copy was loading");

    const start = now();
    const taken = library.at(loaded.base);
    if (taken !== undefined)
      return fail("load-failed", `the loader took the copy for generation ${taken}: both files have the same inode`);
    const base = addressOf(loaded.base);
    const marks = request.marks.map(({ name, offset }) => ({ name, entry: base + offset }));
    const words = wordsAt(marks.map((mark) => mark.entry));
    for (const [i, { name, entry }] of marks.entries()) {
      const reason = codeWriter.entryProblem(entry, words[i] ?? [0, 0]);
      if (reason !== null) return fail("entry-too-small", `${name}: ${reason}`);
    }
    const { path, buildId, hash } = request;
    const copy = { path, base: loaded.base, size: loaded.size, buildId, hash };
    const plain = library.add(request.generation, copy, marks, words, request.functions);
    this.#record();
    this.#log("debug", `generation ${request.generation} of ${request.library} is at ${loaded.base}`);
    return { ok: true, value: { loadMs: loaded.ms, adoptMs: now() - start, plain } };
  }

  /** A before-hook that does not return in time leaves everything as it is. */
  async switchTo({ library: id, generation, hooks, timeoutMs }: SwitchRequest): Promise<Result<SwitchAnswer>> {
    const library = this.#libraries.get(id);
    if (library === undefined) return fail("internal", `${id} is not followed`);
    if (!library.has(generation)) return fail("no-such-generation", `there is no generation ${generation}`);
    const from = library.running;
    const call = async (hook: number | null) =>
      hook === null || (await callHook(library.baseOf(generation).add(hook), from, generation, timeoutMs));
    const unable = (error: unknown): string => {
      if (error instanceof NoRoom) return error.message;
      throw error;
    };
    const called = await call(hooks.before).catch(unable);
    if (typeof called === "string") return fail("no-room", `${HOOKS.before} was not called: ${called}`);
    if (!called)
      return fail("hook-timeout", `${HOOKS.before}(${from}, ${generation}) took longer than ${timeoutMs} ms`);
    if (this.#ended) return fail("internal", "the session ended during the switch");
    library.switchTo(generation);
    this.#log("trace", `the epoch of ${id} now selects generation ${generation}, before ${from}`);
    const after = await call(hooks.after).catch(unable);
    const uncalled = typeof after === "string" ? after : null;
    return { ok: true, value: { from, generation, late: after === false, uncalled } };
  }

  /** Who supplies each name to generation 0; see `Provider` in schemas/agent.ts. */
  providers(id: string, names: readonly string[]): Result<string[]> {
    const library = this.#libraries.get(id);
    if (library === undefined) return fail("internal", `${id} is not followed`);
    const modules = loadedModules();
    return {
      ok: true,
      value: names.map((name) => {
        const address = globalSymbol(name);
        if (address === null) return "none";
        if (contains(library.place, address)) return "own";
        return moduleAt(modules, address)?.path ?? "none";
      }),
    };
  }

  state(id: string): Result<StateVariable[]> {
    const library = this.#libraries.get(id);
    return library === undefined ? fail("internal", `${id} is not followed`) : { ok: true, value: library.state() };
  }

  /** Where the copies are that a thread may be inside of. */
  ranges(): Range[] {
    return [...this.#libraries.values()].flatMap((library) => library.ranges);
  }

  /** @param stacks see StatusRequest in schemas/agent.ts */
  status({ stacks }: StatusRequest): LibraryStatus[] {
    return [...this.#libraries].map(([id, library]) => {
      const threads = stacks === null ? null : library.oldThreads(stacks);
      const functions = library.functions();
      return {
        library: id,
        running: library.running,
        functions: functions.map((f) => ({ ...f, oldThreads: threads === null ? null : (threads.get(f.name) ?? 0) })),
      };
    });
  }

  /** The last thing: after it, unloading the script changes no byte of the host's code. */
  end(keep: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watch?.stop();
    if (this.#looking !== null) clearInterval(this.#looking);
    for (const library of this.#libraries.values()) {
      if (keep) library.keep();
      else library.restore();
    }
    this.#record();
    forgetPins();
    this.#registry.owner = 0;
  }

  /**
   * Adopts a module that has marks and is wanted. Its id when it is new, else null.
   * @param unused is no thread using it yet?
   * @param held the loader waits for us: it holds the module, and lets nobody hold it for longer
   */
  #consider(module: LoadedModule, unused: () => boolean, held: boolean): string | null {
    const base = module.base.toString();
    if (this.#underWay.has(base)) return null;
    this.#underWay.add(base);
    try {
      return this.#follow(module, unused, held);
    } finally {
      this.#underWay.delete(base);
    }
  }

  #follow(module: LoadedModule, unused: () => boolean, held: boolean): string | null {
    const { base, size, name: openedAs, path: mapped } = module;
    for (const library of this.#libraries.values()) if (library.place.base.equals(base)) return null;
    const known = this.#registry.read().filter((r) => r.base === base.toString());
    const record = known.find(({ path, staged }) => mapped === path || mapped === staged);
    const path = record?.path ?? mapped;
    if (this.#copies.has(path) || base.equals(Process.mainModule.base)) return null;
    const names = [mapped, path, openedAs].map(fileName);
    if (this.#wanted !== null && !names.some((name) => this.#wanted?.has(name))) return null;
    const place = { path, base, size, openedAs: absolute(openedAs) };
    const marks = record === undefined ? this.#marksOf(place) : NO_MARKS;
    if (marks === null) return null;
    if (record === undefined && held) pinLater(module);
    else if (record === undefined && !pin(module, PIN_MS)) {
      this.#log("debug", `${path} cannot be pinned: the loader has been busy for ${PIN_MS} ms`);
      return null;
    }
    const library =
      record === undefined ? this.#adopt(place, unused, marks) : Library.resume(record, place, Process.mainModule);
    this.#log("debug", `adopted ${library.names.length} functions of ${path} at ${place.base}`);
    for (const name of library.names) this.#inlineCopies.delete(name);
    const name = fileName(path);
    const id = this.#libraries.has(name) ? path : name;
    this.#libraries.set(id, library);
    return id;
  }

  #adopt(place: Place, unused: () => boolean, found: ModuleMarks): Library {
    const staged = this.#takeOffFile(place, unused);
    const inlineCopies = found.marks.flatMap(({ name }) => this.#inlineCopies.get(name) ?? []);
    return Library.adopt(place, staged, found, Process.mainModule, inlineCopies);
  }

  #takeOffFile(place: Place, unused: () => boolean): Staged {
    if (this.#stage === null) return { path: null, reason: null };
    if (!unused()) return { path: null, reason: "it was loaded before hotpatch attached, and threads may be using it" };
    const sameName = [...this.#libraries.values()].filter((one) => fileName(one.place.path) === fileName(place.path));
    const path = `${this.#stage}/${copyName(place.path, 0, sameName.length)}`;
    const reason = stage(place, path);
    return reason === null ? { path, reason: null } : { path: null, reason };
  }

  #log(level: "error" | "debug" | "trace", text: string): void {
    this.#say({ type: "log", level, text });
  }

  /** The host may close a library while it is read. When it comes again, the loader tells. */
  #marksOf(place: Place): ModuleMarks | null {
    try {
      return marksOf(place) ?? (this.#unmarked ? NO_MARKS : null);
    } catch (error) {
      if (!(error instanceof MemoryGone)) throw error;
      this.#log("debug", `${place.path} at ${place.base} was closed while being read`);
      return null;
    }
  }

  #record(): void {
    try {
      const mine = [...this.#libraries.values()].map((library) => library.record());
      const others = this.#registry.read().filter((r) => !mine.some((m) => m.base === r.base && m.path === r.path));
      this.#registry.write([...others, ...mine]);
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error;
      this.#log("error", `the registry for later sessions could not be written: ${error.message}`);
    }
  }
}

/** ms that it may take to hold a library that is to be adopted. */
const PIN_MS = 1000;
/** ms between looks for libraries that appear, where the loader does not tell. */
const LOOK_MS = 250;

const NO_MARKS: ModuleMarks = { marks: [], refused: [] };

const absolute = (path: string): string | null => (path.startsWith("/") ? path : null);
