/** Records a library in the registry for later sessions, and resumes it from there. */
import { HostEntries } from "../entries/marked.js";
import type { Mark } from "../marks/marks.js";
import { keepText, type LibraryRecord, readText, type Text } from "../registry/registry.js";
import type { Extent, Place } from "../target/extent.js";
import { Copies, isIn, rangeOf } from "./copies.js";
import { Functions } from "./functions.js";
import { Library } from "./library.js";
import { Tables } from "./tables.js";

/** The text about each library's functions, and how many it covers: its memory is never freed, so it is reused. */
const kept = new WeakMap<Library, { readonly text: Text; readonly count: number }>();

export function recordOf(library: Library): LibraryRecord {
  const { place, staged, tables, copies } = library;
  return {
    path: place.path,
    base: place.base.toString(),
    size: place.size,
    staged: staged.path,
    epoch: tables.epoch.toString(),
    capacity: tables.capacity,
    generations: copies.all().map(([generation, { path, buildId, hash, functions, base, size }]) => ({
      generation,
      path,
      buildId,
      hash,
      functions,
      base: base.toString(),
      size,
      table: tables.tableOf(generation).toString(),
    })),
    functions: functionsText(library),
  };
}

function functionsText(library: Library): Text {
  const names = library.functions.places;
  const known = kept.get(library);
  if (known?.count === names.length) return known.text;
  const { marked: entries, unmarked, refused } = library;
  const text = keepText({ names, entries, unmarked, refused });
  kept.set(library, { text, count: names.length });
  return text;
}

/** A library as an earlier session left it: its tables and generation numbers carry on. */
export function resumeLibrary(record: LibraryRecord, place: Place, executable: Extent): Library {
  const { names, refused, entries, unmarked } = readText(record.functions);
  const functions = new Functions(names);
  const tables = Tables.resume(
    ptr(record.epoch),
    record.capacity,
    new Map(record.generations.map((g) => [g.generation, ptr(g.table)])),
  );
  const copies = new Copies(record.generations.map((g) => [g.generation, { ...g, base: ptr(g.base) }] as const));
  const known = new Map(entries.map((one) => [one.entry, one]));
  const library = new Library(
    { place, staged: { path: record.staged, reason: null }, functions, refused, tables, copies },
    [place, executable].map((module) =>
      HostEntries.adopt(module, marksInside(module, entries), tables.epoch, functions.indexOf, known),
    ),
  );
  const whole = library.resumeUnmarked(unmarked ?? []);
  if (whole && entries.every(({ thunk }) => thunk !== undefined))
    kept.set(library, { text: record.functions, count: names.length });
  return library;
}

function marksInside<M extends Mark>(module: Extent, marks: readonly M[]): M[] {
  const range = rangeOf(module);
  return marks.filter(({ entry }) => isIn(range, entry));
}
