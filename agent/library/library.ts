/** One library of the host with all its generations: adopts it, loads its copies, switches. Knows no wire format. */
import { ENTRY_SIZE } from "../../schemas/abi.js";
import type { AdoptAnswer, FoundLibrary, RefusedMark, StateVariable, UnmarkedFunction } from "../../schemas/agent.js";
import { adoptCopy, HostEntries } from "../entries/marked.js";
import { functionOf, makeTrampolines } from "../entries/trampoline.js";
import { PlainEntries } from "../entries/unmarked.js";
import type { Mark, ModuleMarks } from "../marks/marks.js";
import { stateIn } from "../marks/state.js";
import { FunctionStarts } from "../os/index.js";
import { type FunctionsRecord, keepText, type LibraryRecord, readText, type Text } from "../registry/registry.js";
import { type Address, addressOf, type Word } from "../target/address.js";
import type { Extent, Place } from "../target/extent.js";
import { Tables } from "./tables.js";

/** Stands for a function that could not be adopted and whose place in the tables was taken by then. */
const NOBODY = "";

interface Copy extends Place {
  readonly buildId: string | null;
  readonly hash: string | null;
  readonly functions: number;
}

export interface Range {
  readonly start: Address;
  readonly end: Address;
}

const rangeOf = ({ base, size }: Extent): Range => ({ start: addressOf(base), end: addressOf(base) + size });
/** Whether a library is off the file it was loaded from: its own file, or why it is not. Both null: nobody asked. */
export interface Staged {
  readonly path: string | null;
  readonly reason: string | null;
}

export class Library {
  readonly place: Place;
  readonly staged: Staged;
  readonly #refused: RefusedMark[];
  readonly #names: string[];
  readonly #indices: Map<string, number>;
  readonly #tables: Tables;
  /** Those of the library itself, and those of its inline functions in the executable. */
  readonly #entries: readonly HostEntries[];
  /** Those of its functions that have no mark. */
  readonly #plain: PlainEntries[] = [];
  readonly #copies: Map<number, Copy>;
  /** What each generation's records say; looked for once: a loaded copy's never change. */
  readonly #state = new Map<number, StateVariable[]>();
  /** By base: a copy's table never changes. */
  readonly #starts = new Map<string, FunctionStarts>();
  /** The registry's text about functions, and for how many it was written. */
  #kept: { readonly text: Text; readonly count: number } | null = null;

  private constructor(
    place: Place,
    staged: Staged,
    functions: Pick<FunctionsRecord, "names" | "refused">,
    tables: Tables,
    copies: Map<number, Copy>,
    adopt: (indexOf: (name: string) => number) => HostEntries[],
  ) {
    this.place = place;
    this.staged = staged;
    this.#refused = [...functions.refused];
    this.#names = [...functions.names];
    this.#indices = new Map(this.#names.flatMap((name, i) => (name === NOBODY ? [] : [[name, i]])));
    this.#tables = tables;
    this.#copies = copies;
    this.#entries = adopt((name) => this.#index(name));
  }

  /**
   * Generation 0, as the host loaded it just now or long ago: its entries lead through the table from here on.
   * @param inlineCopies the library's inline functions as `executable` was compiled with them: calls may lead to either
   */
  static adopt(
    place: Place,
    staged: Staged,
    { marks, refused }: ModuleMarks,
    executable: Extent,
    inlineCopies: readonly Mark[],
  ): Library {
    const tables = Tables.start(marks.map((m) => m.entry + ENTRY_SIZE));
    return new Library(
      place,
      staged,
      { names: marks.map((m) => m.name), refused },
      tables,
      new Map([[0, { ...place, buildId: null, hash: null, functions: marks.length }]]),
      (indexOf) => [
        HostEntries.adopt(place, marks, tables.epoch, indexOf),
        HostEntries.adopt(executable, inlineCopies, tables.epoch, indexOf),
      ],
    );
  }

  /** What an earlier session left: its tables and numbers go on. */
  static resume(record: LibraryRecord, place: Place, executable: Extent): Library {
    const functions = readText(record.functions);
    const tables = Tables.resume(
      ptr(record.epoch),
      record.capacity,
      new Map(record.generations.map((g) => [g.generation, ptr(g.table)])),
    );
    const known = new Map(functions.entries.map((one) => [one.entry, one]));
    const library = new Library(
      place,
      { path: record.staged, reason: null },
      functions,
      tables,
      new Map(record.generations.map((g) => [g.generation, { ...g, base: ptr(g.base) }])),
      (indexOf) =>
        [place, executable].map((module) =>
          HostEntries.adopt(module, marksInside(module, functions.entries), tables.epoch, indexOf, known),
        ),
    );
    const { entries, refused } = PlainEntries.resume(functions.unmarked ?? []);
    library.#plain.push(entries);
    library.#refused.push(...refused);
    library.#drop(refused);
    if (refused.length === 0 && functions.entries.every(({ thunk }) => thunk !== undefined))
      library.#kept = { text: record.functions, count: functions.names.length };
    return library;
  }

  /** Leads generation 0's functions through the table although they have no mark; those that are led there stay so. */
  adoptUnmarked(functions: readonly UnmarkedFunction[]): AdoptAnswer {
    const fresh = functions.filter(({ name }) => !this.#indices.has(name));
    const { made, refused } = makeTrampolines(this.place, fresh);
    const led = this.#orForget(() => {
      const known = this.#names.length;
      this.#takeNames(made);
      this.#tables.extend(
        known,
        made.map(({ body }) => body),
      );
      return PlainEntries.adopt(this.place, made, this.#tables.epoch, (name) => this.#index(name));
    });
    this.#plain.push(led.entries);
    this.#drop(led.refused);
    return {
      adopted: functions.flatMap(({ name }) => (this.#indices.has(name) ? [name] : [])),
      refused: [...refused, ...led.refused],
    };
  }

  /** Every function any generation has had. */
  get names(): readonly string[] {
    return this.#names.filter((name) => name !== NOBODY);
  }

  get running(): number {
    return this.#tables.running;
  }

  has(generation: number): boolean {
    return this.#copies.has(generation);
  }

  /**
   * Takes in a loaded copy: its marks are matched by name, its entries adopted, its table made. Nothing runs in it yet.
   * A function that the copy lacks keeps the body that runs now.
   * @param words the copy's entries as they are
   * @param unmarked its functions without marks; their entries are written while all threads stand
   * @returns those whose entries in this copy had to stay as they are: calls from within it stay within it
   */
  add(
    generation: number,
    copy: Place & { readonly buildId: string | null; readonly hash: string },
    marks: readonly Mark[],
    words: readonly Word[],
    unmarked: readonly UnmarkedFunction[],
  ): RefusedMark[] {
    if (this.has(generation)) throw new Error(`generation ${generation} is taken`);
    return this.#orForget(() => {
      const known = this.#names.length;
      this.#takeNames(marks);
      this.#takeNames(unmarked);
      const { made, refused } = makeTrampolines(copy, unmarked);
      const bodies = this.#tables.bodiesOf(this.running, known);
      for (const { name, entry } of marks) bodies[this.#index(name)] = entry + ENTRY_SIZE;
      for (const { name, offset } of unmarked) bodies[this.#index(name)] = addressOf(copy.base) + offset;
      for (const { name, body } of made) bodies[this.#index(name)] = body;
      this.#tables.add(generation, known, bodies);
      adoptCopy(copy, marks, words, this.#tables.epoch, (name) => this.#index(name));
      const led = PlainEntries.adopt(copy, made, this.#tables.epoch, (name) => this.#index(name));
      this.#copies.set(generation, { ...copy, functions: marks.length + unmarked.length });
      return [...refused, ...led.refused];
    });
  }

  switchTo(generation: number): void {
    this.#tables.run(generation);
  }

  /** The generation that is loaded at `base`, if any. */
  at(base: NativePointer): number | undefined {
    return [...this.#copies].find(([, copy]) => copy.base.equals(base))?.[0];
  }

  baseOf(generation: number): NativePointer {
    const copy = this.#copies.get(generation);
    if (copy === undefined) throw new Error(`there is no generation ${generation}`);
    return copy.base;
  }

  /** Each persistent variable once: the generation that had it first owns it. */
  state(): StateVariable[] {
    const owned = new Map<string, StateVariable>();
    for (const [generation, copy] of this.#copies) {
      const known = this.#state.get(generation) ?? stateIn(copy);
      this.#state.set(generation, known);
      for (const variable of known) if (!owned.has(variable.name)) owned.set(variable.name, variable);
    }
    return [...owned.values()];
  }

  /** Generation 0 runs, by the host's own bytes. Copies' entries keep leading through the table. */
  restore(): void {
    this.#tables.run(0);
    for (const entries of this.#entries) entries.restore();
    for (const entries of this.#plain) entries.restore();
  }

  /** What runs goes on running when the script is gone. */
  keep(): void {
    for (const entries of this.#entries) entries.keep();
  }

  /** Each function with the generation whose body the running table holds. */
  functions(): { name: string; generation: number }[] {
    const ownerOf = this.#owners();
    const bodies = this.#tables.bodiesOf(this.running, this.#names.length);
    return this.#names.flatMap((name, i) =>
      name === NOBODY ? [] : [{ name, generation: ownerOf(bodies[i] ?? 0) ?? this.running }],
    );
  }

  /** Where its copies are, when there are several: what a thread may be inside of. */
  get ranges(): Range[] {
    return this.#copies.size === 1 ? [] : [...this.#copies.values()].map(rangeOf);
  }

  /**
   * The number of threads inside a body of each function that is not the one its next call would run: an upper bound,
   * by function name, those with none left out.
   * @param stacks of each thread the addresses within `ranges` that it executes at or that lie on its stack
   */
  oldThreads(stacks: readonly (readonly Address[])[]): Map<string, number> {
    const counts = new Map<string, number>();
    if (this.#copies.size === 1) return counts;
    const running = this.#tables.bodiesOf(this.running, this.#names.length);
    const indices = new Map<Address, number>();
    for (const generation of this.#copies.keys())
      for (const [i, body] of this.#tables.bodiesOf(generation, this.#names.length).entries())
        if (body !== running[i]) for (const start of this.#startsOf(body)) indices.set(start, i);
    const copies = [...this.#copies.values()].map((copy) => ({ ...rangeOf(copy), starts: this.#functionStarts(copy) }));
    for (const addresses of stacks) {
      const inside = new Set<string>();
      for (const address of addresses) {
        const copy = copies.find(({ start, end }) => address >= start && address < end);
        const name = this.#names[indices.get(copy?.starts.of(address) ?? -1) ?? -1];
        if (name !== undefined) inside.add(name);
      }
      for (const name of inside) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  #functionStarts({ base }: Copy): FunctionStarts {
    const key = base.toString();
    const known = this.#starts.get(key) ?? new FunctionStarts(base);
    this.#starts.set(key, known);
    return known;
  }

  found(id: string): FoundLibrary {
    return {
      library: id,
      path: this.place.path,
      openedAs: this.place.openedAs ?? null,
      base: this.place.base.toString(),
      size: this.place.size,
      staged: this.staged.path,
      unstaged: this.staged.reason,
      running: this.running,
      generations: [...this.#copies].map(([generation, { path, buildId, hash, functions }]) => ({
        generation,
        path,
        buildId,
        hash,
        functions,
      })),
      functions: this.functions(),
      unmarked: this.#plain.flatMap((entries) => entries.kept().map(({ name }) => name)),
      refused: [...this.#refused],
    };
  }

  record(): LibraryRecord {
    if (this.#kept?.count !== this.#names.length)
      this.#kept = {
        text: keepText({
          names: this.#names,
          entries: this.#entries.flatMap((e) => e.known()),
          unmarked: this.#plain.flatMap((e) => e.kept()),
          refused: this.#refused,
        }),
        count: this.#names.length,
      };
    return {
      path: this.place.path,
      base: this.place.base.toString(),
      size: this.place.size,
      staged: this.staged.path,
      epoch: this.#tables.epoch.toString(),
      capacity: this.#tables.capacity,
      generations: [...this.#copies].map(([generation, { path, buildId, hash, functions, base, size }]) => ({
        generation,
        path,
        buildId,
        hash,
        functions,
        base: base.toString(),
        size,
        table: this.#tables.tableOf(generation).toString(),
      })),
      functions: this.#kept.text,
    };
  }

  /** Which copy a body lies in, or the function that a trampoline is the body of. */
  #owners(): (body: Address) => number | undefined {
    const copies = [...this.#copies].map(([generation, copy]) => ({ generation, ...rangeOf(copy) }));
    const holding = (address: Address) => copies.find((c) => address >= c.start && address < c.end)?.generation;
    return (body) => holding(body) ?? holding(functionOf(body));
  }

  /** Where a body's function begins by the unwind tables: gcc's begin behind the mark. */
  #startsOf(body: Address): Address[] {
    const inside = [...this.#copies.values()].map(rangeOf).some(({ start, end }) => body >= start && body < end);
    return inside ? [body, body - ENTRY_SIZE] : [functionOf(body)];
  }

  /** Gives each function that is new its place in the tables. */
  #takeNames(functions: readonly { readonly name: string }[]): void {
    for (const { name } of functions) {
      if (this.#indices.has(name)) continue;
      this.#indices.set(name, this.#names.length);
      this.#names.push(name);
    }
  }

  /** What there was no room for leaves no names behind: the tables have no bodies for them. */
  #orForget<T>(make: () => T): T {
    const known = this.#names.length;
    try {
      return make();
    } catch (error) {
      for (const name of this.#names.splice(known)) this.#indices.delete(name);
      throw error;
    }
  }

  /** Forgets functions whose entries do not lead to their places. */
  #drop(functions: readonly { readonly name: string }[]): void {
    for (const { name } of functions) {
      this.#names[this.#index(name)] = NOBODY;
      this.#indices.delete(name);
    }
  }

  #index(name: string): number {
    const index = this.#indices.get(name);
    if (index === undefined) throw new Error(`${name} has no place in the tables`);
    return index;
  }
}

function marksInside<M extends Mark>(module: Extent, marks: readonly M[]): M[] {
  const { start, end } = rangeOf(module);
  return marks.filter(({ entry }) => entry >= start && entry < end);
}
