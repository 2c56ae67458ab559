/** How marked functions are named. Runs on both sides; no zod, which the agent would carry into the target. */

// Source: names seen from gcc 12 (-flto, ipa-cp, ipa-sra, fnsplit) and clang 14 (ThinLTO promotes with .llvm.HASH).
// .localalias is gcc's second name for an exported function that its own file calls.
const SUFFIX = /\.(?:lto_priv|constprop|part|isra)\.\d+$|\.(?:cold|localalias)(?:\.\d+)?$|\.llvm\.\d+$/;
const FRAGMENT = /\.(?:cold|part)(?:\.\d+)?$/;

/** A symbol's name without compiler suffixes (still mangled): .lto_priv.N, .constprop.N, .cold, ... */
export function cleanName(symbol: string): string {
  for (let name = symbol; ; ) {
    const shorter = name.replace(SUFFIX, "");
    if (shorter === name || shorter === "") return name;
    name = shorter;
  }
}

/**
 * The variants of a C++ constructor or destructor are one function to the language.
 * Source: Itanium C++ ABI 5.1.4.3: C1, C2, C3, D0, D1, D2; gcc and clang add C4, C5, D4, D5.
 */
export const withoutVariant = (symbol: string): string => symbol.replace(/([CD])[0-9](?=I|E|B)/g, "$1");

/** A part that the compiler split off a function: reached only from there, so not a function in its own right. */
export const isFragment = (symbol: string): boolean => FRAGMENT.test(symbol);

/** A mapped file's path without the suffix that the kernel appends after deletion or replacement. Source: proc(5). */
export const pathAsItWas = (path: string): string => path.replace(/ \(deleted\)$/, "");

/** Why a function whose address is not a multiple of 8 cannot be patched, and how that happens in C++. */
export const UNALIGNED =
  "its entry is not aligned to 8 bytes, so it cannot be replaced by one store (with gcc, a constructor or destructor must be marked inside its class too)";

/**
 * Functions by the names used to match generations. Statics of one name are distinguished by their source file,
 * "name [file.c]"; those that still share a name cannot be.
 */
export function tellApart<T extends { readonly name: string; readonly file: string | null }>(
  functions: readonly T[],
): { readonly unique: Map<string, T>; readonly ambiguous: Map<string, readonly T[]> } {
  const unique = new Map<string, T>();
  const ambiguous = new Map<string, readonly T[]>();
  const byName = group(functions, (f) => f.name);
  for (const [name, same] of byName) {
    if (same.length === 1 && same[0] !== undefined) unique.set(name, same[0]);
    else
      for (const [full, twins] of group(same, (f) => (f.file === null ? name : `${name} [${f.file}]`))) {
        if (twins.length === 1 && twins[0] !== undefined) unique.set(full, twins[0]);
        else ambiguous.set(full, twins);
      }
  }
  return { unique, ambiguous };
}

/** Why functions of one name cannot be patched, with their source locations if records have them. */
export function whyAmbiguous(twins: readonly { readonly place: string | null }[]): string {
  const places = twins.flatMap(({ place }) => place ?? []).sort();
  return `${twins.length} marked functions have this name${places.length > 0 ? `: ${places.join(", ")}` : ""}`;
}

function group<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const same = groups.get(key);
    if (same === undefined) groups.set(key, [item]);
    else same.push(item);
  }
  return groups;
}

/**
 * A copy's file name: libgame.so -> libgame.g3.so, libgame.so.1.2 -> libgame.g3.so.1.2, the second attempt to load
 * generation 3 -> libgame.g3-2.so. gdb, perf and backtraces show it; no two copies of a process share one, because a
 * loader that knows a name does not open the file again.
 * @param attempt how many attempts to load this generation have failed
 */
export function copyName(library: string, generation: number, attempt: number): string {
  const name = library.slice(library.lastIndexOf("/") + 1);
  const mark = attempt > 0 ? `.g${generation}-${attempt + 1}` : `.g${generation}`;
  const [, stem, ending] = /^(.+?)(\.so(?:\.\d[^.]*)*)$/.exec(name) ?? /^(.+)(\.[^.]+)$/.exec(name) ?? [];
  return `${stem ?? name}${mark}${ending ?? ""}`;
}

/** A file in some session's private folder. */
const COPY = /\/hotpatch-\d+-[^/]*\/[^/]*$/;

/** A library's file name; for one of our copies (see {@link copyName}), that of its library. */
export function libraryName(path: string): { readonly name: string; readonly generation: number | null } {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const made = COPY.test(path) ? /^(.+)\.g(\d+)(?:-\d+)?((?:\.[^/]*)?)$/.exec(name) : null;
  if (made === null) return { name, generation: null };
  const [, stem = "", generation, ending = ""] = made;
  return { name: stem + ending, generation: Number(generation) };
}
