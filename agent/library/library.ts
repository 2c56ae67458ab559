/**
 * One of the host's libraries with all its generations: adopts it, takes in its copies, switches. Knows neither what is
 * reported to the cli (report.ts) nor what is kept for a later session (record.ts).
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

/** Whether a library is backed by a copy of its file: the copy's path, or why it is not. Both null: not requested. */
export interface Staged {
  readonly path: string | null;
  readonly reason: string | null;
}

/** What a library consists of before its entries are redirected. */
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
  /** Entries in the library itself, and those of its inline functions in the executable. */
  readonly #marked: readonly HostEntries[];
  /** Entries of its functions without a mark. */
  readonly #unmarked: PlainEntries[] = [];

  /** @param marked its entries, already redirected through the tables. */
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
   * Generation 0, as the host loaded it, just now or long ago: redirects its entries through the table.
   * @param inlineCopies the library's inline functions that were compiled into `executable`: calls may go to either
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

  /** Takes over functions without a mark that an earlier session redirected. @returns whether all could be kept */
  resumeUnmarked(known: readonly PlainEntry[]): boolean {
    const { entries, refused } = PlainEntries.resume(known);
    this.#unmarked.push(entries);
    this.#refused.push(...refused);
    this.functions.drop(refused);
    return refused.length === 0;
  }

  /** Redirects generation 0's functions without a mark through the table; those already redirected stay so. */
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

  /** Generation 0's functions that cannot be patched. */
  get refused(): readonly RefusedMark[] {
    return this.#refused;
  }

  /** Generation 0's marked entries. */
  get marked(): KnownEntry[] {
    return this.#marked.flatMap((entries) => entries.known());
  }

  /** Generation 0's entries without a mark. */
  get unmarked(): PlainEntry[] {
    return this.#unmarked.flatMap((entries) => entries.kept());
  }

  /**
   * Takes in a loaded copy: matches its marks by name, adopts its entries, builds its table. Nothing runs in it yet.
   * A function missing from the copy keeps the body that runs now.
   * @param words the current words at the copy's entries
   * @param unmarked its functions without marks; their entries are written while all threads are stopped
   * @returns the functions whose entries in this copy could not be redirected: calls from within the copy stay in it
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

  /** Back to generation 0, with the host's own bytes. Copies' entries stay redirected through the table. */
  restore(): void {
    this.tables.run(0);
    for (const entries of this.#marked) entries.restore();
    for (const entries of this.#unmarked) entries.restore();
  }

  /** From here on Frida restores the marked entries if the tool dies. Only for a library that stays. */
  register(): void {
    for (const entries of this.#marked) entries.register();
  }

  /** What runs now keeps running after the script is unloaded. */
  keep(): void {
    for (const entries of this.#marked) entries.keep();
  }
}
