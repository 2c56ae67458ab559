/** What a switch brings to functions that were not edited themselves, with names as people write them. Runs c++filt. */
import { changesReached, type Meanings } from "../evidence/reached.js";
import { demangle } from "./demangle.js";

/** In words, for each function of both builds that reaches something that has changed. */
export function whatIsReached(before: Meanings, after: Meanings): ReadonlyMap<string, string> {
  const found = changesReached(before, after);
  const texts = demangle([...found.values()], ["-p"]);
  return new Map([...found].map(([name, text], i) => [name, texts[i] ?? text]));
}
