/** All patched libraries of this process: finds them now and as they appear, and leaves the process as asked. */
import type {
  AdoptAnswer,
  AdoptRequest,
  AgentEvent,
  FoundLibrary,
  LoadAnswer,
  LoadRequest,
  Result,
  StateVariable,
  SwitchAnswer,
  SwitchRequest,
} from "../schemas/agent.js";
import { copyName, pathAsItWas } from "../schemas/names.js";
import { now } from "./clock.js";
import { callHook } from "./hook.js";
import { Library, type Staged } from "./library.js";
import { forgetPins, load, loaderName, pin } from "./load.js";
import { executableMarks, type Mark, type ModuleMarks, marksOf, type Place } from "./marks.js";
import { contains, wordsAt } from "./memory.js";
import type { Registry } from "./registry.js";
import { stage } from "./stage.js";
import { isAlone } from "./thread.js";
import { addressOf, entryProblem } from "./thunk.js";

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
  #observer: ModuleObserver | null = null;
  #ended = false;
  /** A forked child has this agent too, without its threads: what the child loads is none of ours. */
  readonly #pid = getpid();
  /** Paths of copies, loading or loaded: they belong to the library of their generation 0. */
  readonly #copies = new Set<string>();
  /** Marked functions of the executable itself, which cannot be patched. */
  readonly marksInExecutable: number;
  /** Inline functions in the executable that no library has claimed yet. */
  readonly #twins: Map<string, Mark>;

  constructor(registry: Registry, { names, unmarked }: Wanted, stage: string | null, say: (event: AgentEvent) => void) {
    this.#registry = registry;
    this.#wanted = names === null ? null : new Set(names);
    this.#unmarked = unmarked && names !== null;
    this.#stage = stage;
    this.#say = say;
    const { own, inline } = executableMarks(Process.mainModule);
    this.marksInExecutable = own;
    this.#twins = new Map(inline.map((mark) => [mark.name, mark]));
    for (const record of registry.read())
      for (const g of record.generations) if (g.generation > 0) this.#copies.add(g.path);
  }

  /**
   * Adopts what is loaded, and from then on every library the moment it is mapped, before its code runs.
   * @param stopped the host stands still at its entry point
   */
  begin(stopped: boolean): FoundLibrary[] {
    let arriving = false;
    let alone: boolean | null = null;
    const unused = () => {
      alone ??= stopped && isAlone();
      return alone;
    };
    for (const module of Process.enumerateModules()) this.#consider(module, unused);
    const found = [...this.#libraries].map(([id, library]) => library.found(id));
    this.#observer = Process.attachModuleObserver({
      onAdded: (module) => {
        if (!arriving || this.#ended || getpid() !== this.#pid) return;
        const id = this.#consider(module, () => true);
        if (id === null) return;
        const library = this.#libraries.get(id);
        if (library === undefined) return;
        this.#say({ type: "library:found", library: library.found(id) });
        // Not here: the loader is at work on this very library.
        setTimeout(() => this.#record(), 0);
      },
    });
    arriving = true;
    // What the loader finished between the two looks.
    for (const module of Process.enumerateModules()) {
      const id = this.#consider(module, unused);
      const library = id === null ? undefined : this.#libraries.get(id);
      if (id !== null && library !== undefined) found.push(library.found(id));
    }
    this.#record();
    return found;
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
    const library = this.#libraries.get(request.library);
    if (library === undefined) return fail("internal", `${request.library} is not followed`);
    this.#copies.add(request.path);
    const loaded = await load(request.path, request.timeoutMs);
    if (loaded.kind === "failed") return fail("load-failed", loaded.detail);
    if (loaded.kind === "timeout")
      return fail("load-timeout", `no end after ${request.timeoutMs} ms: a constructor of the copy has not returned`);
    if (this.#ended) return fail("internal", "the session ended while the copy was loading");

    const start = now();
    const taken = library.at(loaded.base);
    if (taken !== undefined)
      return fail("load-failed", `the loader took the copy for generation ${taken}: the two files have one inode`);
    const base = addressOf(loaded.base);
    const marks = request.marks.map(({ name, offset }) => ({ name, entry: base + offset }));
    const words = wordsAt(marks.map((mark) => mark.entry));
    for (const [i, { name, entry }] of marks.entries()) {
      const reason = entryProblem(entry, words[i] ?? [0, 0]);
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
    if (!(await call(hooks.before)))
      return fail("hook-timeout", `hotpatch_before_switch(${from}, ${generation}) took longer than ${timeoutMs} ms`);
    if (this.#ended) return fail("internal", "the session ended during the switch");
    library.switchTo(generation);
    this.#log("trace", `the epoch of ${id} leads from generation ${from} to ${generation}`);
    return { ok: true, value: { from, generation, late: !(await call(hooks.after)) } };
  }

  /** Who supplies each name to generation 0; see `Provider` in schemas/agent.ts. */
  providers(id: string, names: readonly string[]): Result<string[]> {
    const library = this.#libraries.get(id);
    if (library === undefined) return fail("internal", `${id} is not followed`);
    const map = new ModuleMap();
    return {
      ok: true,
      value: names.map((name) => {
        const address = dlsym(NULL, Memory.allocUtf8String(name));
        if (address.isNull()) return "none";
        if (contains(library.place, address)) return "own";
        return map.findPath(address) ?? "none";
      }),
    };
  }

  state(id: string): Result<StateVariable[]> {
    const library = this.#libraries.get(id);
    return library === undefined ? fail("internal", `${id} is not followed`) : { ok: true, value: library.state() };
  }

  status(): {
    library: string;
    running: number;
    functions: { name: string; generation: number; oldThreads: number | null }[];
  }[] {
    return [...this.#libraries].map(([id, library]) => {
      const threads = library.oldThreads();
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
    this.#observer?.detach();
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
   */
  #consider(module: Module, unused: () => boolean): string | null {
    const mapped = pathOf(module);
    const known = this.#registry.read().filter((r) => r.base === module.base.toString());
    const record = known.find(({ path, staged }) => mapped === path || mapped === staged);
    const path = record?.path ?? mapped;
    if (this.#copies.has(path) || module.base.equals(Process.mainModule.base)) return null;
    for (const library of this.#libraries.values()) if (library.place.base.equals(module.base)) return null;
    const names = [module.path, path, loaderName(module.base) ?? path].map(fileName);
    if (this.#wanted !== null && !names.some((name) => this.#wanted?.has(name))) return null;
    const place = { path, base: module.base, size: module.size };
    const library =
      record === undefined ? this.#adopt(place, unused) : Library.resume(record, place, Process.mainModule);
    if (library === null) return null;
    this.#log("debug", `adopted ${library.names.length} functions of ${path} at ${place.base}`);
    for (const name of library.names) this.#twins.delete(name);
    if (record === undefined) pin(place.base);
    const name = fileName(path);
    const id = this.#libraries.has(name) ? path : name;
    this.#libraries.set(id, library);
    return id;
  }

  #adopt(place: Place, unused: () => boolean): Library | null {
    const found = this.#marksOf(place) ?? (this.#unmarked ? NO_MARKS : null);
    if (found === null) return null;
    const staged = this.#takeOffFile(place, unused);
    const twins = found.marks.flatMap(({ name }) => this.#twins.get(name) ?? []);
    return Library.adopt(place, staged, found, Process.mainModule, twins);
  }

  #takeOffFile(place: Place, unused: () => boolean): Staged {
    if (this.#stage === null) return { path: null, reason: null };
    if (!unused()) return { path: null, reason: "it was loaded before hotpatch came, and threads may be using it" };
    const sameName = [...this.#libraries.values()].filter((one) => fileName(one.place.path) === fileName(place.path));
    const path = `${this.#stage}/${copyName(place.path, 0, sameName.length)}`;
    const reason = stage(place, path);
    return reason === null ? { path, reason: null } : { path: null, reason };
  }

  #log(level: "debug" | "trace", text: string): void {
    this.#say({ type: "log", level, text });
  }

  /** The host may unload a module while it is read. When it comes again, the observer tells. */
  #marksOf(place: Place): ModuleMarks | null {
    try {
      return marksOf(place);
    } catch (error) {
      if ((error as Partial<ExceptionDetails>).type !== "access-violation") throw error;
      this.#log("debug", `${place.path} at ${place.base} was unloaded while it was read`);
      return null;
    }
  }

  #record(): void {
    const mine = [...this.#libraries.values()].map((library) => library.record());
    const others = this.#registry.read().filter((r) => !mine.some((m) => m.base === r.base && m.path === r.path));
    this.#registry.write([...others, ...mine]);
  }
}

const getpid = new NativeFunction(Module.getGlobalExportByName("getpid"), "int", []);
const NO_MARKS: ModuleMarks = { marks: [], refused: [] };

/** What it writes for a line end in a path. Source: proc(5). */
const LINE_END = "\\012";

const dlsym = new NativeFunction(Module.getGlobalExportByName("dlsym"), "pointer", ["pointer", "pointer"]);

/** The file a module was mapped from: the loader's own name for it may be relative to a folder that has changed since. */
function pathOf(module: Module): string {
  const path = Process.findRangeByAddress(module.base)?.file?.path ?? module.path;
  return pathAsItWas(path).replaceAll(LINE_END, "\n");
}
