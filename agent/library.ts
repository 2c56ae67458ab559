/** One library of the host with all its generations: adopts it, loads its copies, switches. Knows no wire format. */
import type { FoundLibrary, RefusedMark } from "../schemas/agent.js";
import type { Mark, ModuleMarks } from "./marks.js";
import { type Match, match } from "./match.js";
import { adoptCopy, HostEntries } from "./redirect.js";
import type { LibraryRecord } from "./registry.js";
import { Tables } from "./switch.js";
import { ENTRY_SIZE } from "./thunk.js";

interface Copy {
  readonly path: string;
  readonly buildId: string | null;
  readonly hash: string | null;
  readonly functions: number;
}

export interface Place {
  readonly path: string;
  readonly base: NativePointer;
  readonly size: number;
}

export class Library {
  readonly place: Place;
  readonly refused: readonly RefusedMark[];
  readonly #names: string[];
  readonly #indices: Map<string, number>;
  readonly #tables: Tables;
  readonly #entries: HostEntries;
  readonly #copies: Map<number, Copy>;

  private constructor(
    place: Place,
    refused: readonly RefusedMark[],
    names: readonly string[],
    tables: Tables,
    copies: Map<number, Copy>,
    entries: (tables: Tables, indexOf: (name: string) => number) => HostEntries,
  ) {
    this.place = place;
    this.refused = refused;
    this.#names = [...names];
    this.#indices = new Map(names.map((name, i) => [name, i]));
    this.#tables = tables;
    this.#copies = copies;
    this.#entries = entries(tables, (name) => this.#index(name));
  }

  /** Generation 0, as the host loaded it just now or long ago: its entries lead through the table from here on. */
  static adopt(place: Place, found: ModuleMarks): Library {
    return new Library(
      place,
      found.refused,
      found.marks.map((m) => m.name),
      Tables.start(found.marks.map((m) => m.entry.add(ENTRY_SIZE))),
      new Map([[0, { path: place.path, buildId: null, hash: null, functions: found.marks.length }]]),
      (tables, indexOf) => HostEntries.adopt(place, found.marks, tables.epoch, indexOf),
    );
  }

  /** What an earlier session left: its tables and numbers go on. */
  static resume(record: LibraryRecord, place: Place): Library {
    const tables = Tables.resume(
      ptr(record.epoch),
      record.capacity,
      new Map(record.generations.map((g) => [g.generation, ptr(g.table)])),
    );
    const marks = record.entries.map(({ entry }, i) => ({ name: record.names[i] ?? "", entry: ptr(entry) }));
    const known = new Map(record.entries.map(({ entry, original }) => [entry, uint64(original)]));
    return new Library(
      place,
      record.refused,
      record.names,
      tables,
      new Map(record.generations.map((g) => [g.generation, g])),
      (_, indexOf) => HostEntries.adopt(place, marks, tables.epoch, indexOf, known),
    );
  }

  get running(): number {
    return this.#tables.running;
  }

  has(generation: number): boolean {
    return this.#copies.has(generation);
  }

  /**
   * Takes in a loaded copy: its marks are matched, its entries adopted, its table made. Nothing runs in it yet.
   * A function that the copy lacks keeps the body that runs now.
   */
  add(
    generation: number,
    copy: Place & { readonly buildId: string | null; readonly hash: string },
    marks: readonly Mark[],
  ): Match<string> {
    if (this.has(generation)) throw new Error(`generation ${generation} is taken`);
    const plan = match(this.#names, marks);
    const known = this.#names.length;
    const running = this.running;
    for (const { name } of plan.added) {
      this.#indices.set(name, this.#names.length);
      this.#names.push(name);
    }
    const offered = new Map(marks.map((m) => [m.name, m.entry]));
    const bodies = this.#names.map((name, i) => offered.get(name)?.add(ENTRY_SIZE) ?? this.#tables.bodyOf(running, i));
    this.#tables.add(generation, known, bodies);
    adoptCopy(copy, marks, this.#tables.epoch, (name) => this.#index(name));
    const { path, buildId, hash } = copy;
    this.#copies.set(generation, { path, buildId, hash, functions: marks.length });
    return {
      matched: plan.matched.map((m) => m.name),
      added: plan.added.map((m) => m.name),
      missing: plan.missing,
    };
  }

  switchTo(generation: number): void {
    this.#tables.run(generation);
  }

  /** Generation 0 runs, by the host's own bytes. Copies' entries keep leading through the table. */
  restore(): void {
    this.#tables.run(0);
    this.#entries.restore();
  }

  /** What runs goes on running when the script is gone. */
  keep(): void {
    this.#entries.keep();
  }

  /** Each function with the generation whose body the running table holds. */
  functions(moduleOf: (body: NativePointer) => string | null): { name: string; generation: number }[] {
    const running = this.running;
    const byPath = new Map([...this.#copies].map(([generation, copy]) => [copy.path, generation]));
    return this.#names.map((name, i) => {
      const path = moduleOf(this.#tables.bodyOf(running, i));
      return { name, generation: (path === null ? undefined : byPath.get(path)) ?? running };
    });
  }

  found(id: string, moduleOf: (body: NativePointer) => string | null): FoundLibrary {
    return {
      library: id,
      path: this.place.path,
      base: this.place.base.toString(),
      size: this.place.size,
      running: this.running,
      generations: [...this.#copies].map(([generation, { path, buildId, hash, functions }]) => ({
        generation,
        path,
        buildId,
        hash,
        functions,
      })),
      functions: this.functions(moduleOf),
      refused: [...this.refused],
    };
  }

  record(): LibraryRecord {
    return {
      path: this.place.path,
      base: this.place.base.toString(),
      size: this.place.size,
      epoch: this.#tables.epoch.toString(),
      capacity: this.#tables.capacity,
      names: this.#names,
      generations: [...this.#copies].map(([generation, { path, buildId, hash, functions }]) => ({
        generation,
        path,
        buildId,
        hash,
        functions,
        table: this.#tables.tableOf(generation).toString(),
      })),
      entries: this.#entries.originals(),
      refused: this.refused,
    };
  }

  #index(name: string): number {
    const index = this.#indices.get(name);
    if (index === undefined) throw new Error(`${name} has no place in the tables`);
    return index;
  }
}
