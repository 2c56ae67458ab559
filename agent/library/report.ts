/** What the cli is told about a library. */
import type { FoundLibrary, LibraryStatus } from "../../schemas/agent.js";
import { functionOf } from "../entries/trampoline.js";
import type { Address } from "../target/address.js";
import { type Copies, isIn, rangeOf } from "./copies.js";
import type { Library } from "./library.js";
import { oldThreads } from "./old-threads.js";

/** @param id the cli's name for it. */
export function foundLibrary(id: string, library: Library): FoundLibrary {
  const { place, staged, copies } = library;
  return {
    library: id,
    path: place.path,
    openedAs: place.openedAs ?? null,
    base: place.base.toString(),
    size: place.size,
    staged: staged.path,
    unstaged: staged.reason,
    running: library.running,
    generations: copies.all().map(([generation, { path, buildId, hash, functions }]) => ({
      generation,
      path,
      buildId,
      hash,
      functions,
    })),
    functions: functionsOf(library),
    unmarked: library.unmarked.map(({ name }) => name),
    refused: [...library.refused],
  };
}

/** @param stacks see StatusRequest in schemas/agent.ts. */
export function libraryStatus(
  id: string,
  library: Library,
  stacks: readonly (readonly Address[])[] | null,
): LibraryStatus {
  const threads = stacks === null ? null : oldThreads(library, stacks);
  return {
    library: id,
    running: library.running,
    functions: functionsOf(library).map((f) => ({
      ...f,
      oldThreads: threads === null ? null : (threads.byName.get(f.name) ?? 0),
    })),
    otherThreads: threads === null ? null : threads.elsewhere,
  };
}

/** Each function with the generation whose body the running table holds. */
function functionsOf({ functions, tables, copies, running }: Library): { name: string; generation: number }[] {
  const ownerOf = owners(copies);
  const bodies = tables.bodiesOf(running, functions.places.length);
  return functions.names.map((name) => ({
    name,
    generation: ownerOf(bodies[functions.indexOf(name)] ?? 0) ?? running,
  }));
}

/** Maps a body to the generation whose copy contains it; for a trampoline, the one containing its function. */
function owners(copies: Copies): (body: Address) => number | undefined {
  const places = copies.all().map(([generation, copy]) => ({ generation, range: rangeOf(copy) }));
  const holding = (address: Address) => places.find(({ range }) => isIn(range, address))?.generation;
  return (body) => holding(body) ?? holding(functionOf(body));
}
