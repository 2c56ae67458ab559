/**
 * One library of the host with all its generations: adopts it, takes in its copies, switches. Knows neither what the cli is
 * told of it (report.ts) nor what is kept of it for a later session (record.ts).
 */
import { ENTRY_SIZE } from "../../schemas/abi.js";
import type { RefusedMark, UnmarkedFunction } from "../../schemas/agent.js";
import { adoptCopy, HostEntries, type KnownEntry } from "../entries/marked.js";
import { makeTrampolines } from "../entries/trampoline.js";
import { PlainEntries, type PlainEntry } from "../entries/unmarked.js";
import type { Mark, ModuleMarks } from "../marks/marks.js";
import { addressOf, type Word } from "../target/address.js";
import type { Extent, Place } from "../target/extent.js";
import { Copies } from "./copies.js";
import { Functions } from "./functions.js";
import { Tables } from "./tables.js";

/** Whether a library is off the file it was loaded from: its own file, or why it is not. Both null: nobody asked. */
export interface Staged {
  readonly path: string | null;
  readonly reason: string | null;
}

/** What a library consists of before its entries are led through its tables. */
interface Parts {
  readonly place: Place;
  readonly staged: Staged;
  readonly functions: Functions;
  readonly refused: readonly RefusedMark[];
  readonly tables: Tables;
  readonly copies: Copies;
}

export class Library {
  readonly place: Place;
  readonly staged: Staged;
  readonly functions: Functions;
  readonly tables: Tables;
  readonly copies: Copies;
  readonly #refused: RefusedMark[];
  /** Those of the library itself, and those of its inline functions in the executable. */
  readonly #marked: readonly HostEntries[];
  /** Those of its functions that have no mark. */
  readonly #unmarked: PlainEntries[] = [];

  /** @param marked its entries, which lead through the tables by now */
  constructor({ place, staged, functions, refused, tables, copies }: Parts, marked: readonly HostEntries[]) {
    this.place = place;
    this.staged = staged;
    this.functions = functions;
    this.tables = tables;
    this.copies = copies;
    this.#refused = [...refused];
    this.#marked = marked;
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
    const functions = new Functions(marks.map(({ name }) => name));
    const tables = Tables.start(marks.map(({ entry }) => entry + ENTRY_SIZE));
    const copies = new Copies([[0, { ...place, buildId: null, hash: null, functions: marks.length }]]);
    return new Library({ place, staged, functions, refused, tables, copies }, [
      HostEntries.adopt(place, marks, tables.epoch, functions.indexOf),
      HostEntries.adopt(executable, inlineCopies, tables.epoch, functions.indexOf),
    ]);
  }

  /** Those without a mark that an earlier session has led through the table. @returns whether all still are */
  resumeUnmarked(known: readonly PlainEntry[]): boolean {
    const { entries, refused } = PlainEntries.resume(known);
    this.#unmarked.push(entries);
    this.#refused.push(...refused);
    this.functions.drop(refused);
    return refused.length === 0;
  }

  /** Leads generation 0's functions through the table although they have no mark; those that are led there stay so. */
  adoptUnmarked(wanted: readonly UnmarkedFunction[]): { adopted: string[]; refused: RefusedMark[] } {
    const { functions, tables } = this;
    const { made, refused } = makeTrampolines(
      this.place,
      wanted.filter(({ name }) => !functions.has(name)),
    );
    const led = functions.orForget(() => {
      const known = functions.places.length;
      functions.take(made);
      tables.extend(
        known,
        made.map(({ body }) => body),
      );
      return PlainEntries.adopt(this.place, made, tables.epoch, functions.indexOf);
    });
    this.#unmarked.push(led.entries);
    functions.drop(led.refused);
    return {
      adopted: wanted.flatMap(({ name }) => (functions.has(name) ? [name] : [])),
      refused: [...refused, ...led.refused],
    };
  }

  get running(): number {
    return this.tables.running;
  }

  /** Of generation 0: those that cannot be patched. */
  get refused(): readonly RefusedMark[] {
    return this.#refused;
  }

  /** Generation 0's entries. */
  get marked(): KnownEntry[] {
    return this.#marked.flatMap((entries) => entries.known());
  }

  /** Generation 0's entries without a mark. */
  get unmarked(): PlainEntry[] {
    return this.#unmarked.flatMap((entries) => entries.kept());
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
    if (this.copies.has(generation)) throw new Error(`generation ${generation} is taken`);
    const { functions, tables } = this;
    const { indexOf } = functions;
    return functions.orForget(() => {
      const known = functions.places.length;
      functions.take(marks);
      functions.take(unmarked);
      const { made, refused } = makeTrampolines(copy, unmarked);
      const bodies = tables.bodiesOf(this.running, known);
      for (const { name, entry } of marks) bodies[indexOf(name)] = entry + ENTRY_SIZE;
      for (const { name, offset } of unmarked) bodies[indexOf(name)] = addressOf(copy.base) + offset;
      for (const { name, body } of made) bodies[indexOf(name)] = body;
      tables.add(generation, known, bodies);
      adoptCopy(copy, marks, words, tables.epoch, indexOf);
      const led = PlainEntries.adopt(copy, made, tables.epoch, indexOf);
      this.copies.add(generation, { ...copy, functions: marks.length + unmarked.length });
      return [...refused, ...led.refused];
    });
  }

  switchTo(generation: number): void {
    this.tables.run(generation);
  }

  /** Generation 0 runs, by the host's own bytes. Copies' entries keep leading through the table. */
  restore(): void {
    this.tables.run(0);
    for (const entries of this.#marked) entries.restore();
    for (const entries of this.#unmarked) entries.restore();
  }

  /** What runs goes on running when the script is gone. */
  keep(): void {
    for (const entries of this.#marked) entries.keep();
  }
}
