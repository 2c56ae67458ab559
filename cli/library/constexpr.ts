/**
 * Which functions C++ sources declare constexpr or consteval: calls may then have been evaluated by the compiler, of which
 * debug information (gcc 12, clang 14) says nothing. Reads files; finds declarations by their words alone.
 */
import { readFileSync, statSync } from "node:fs";
import { isAbsolute } from "node:path";

/** Bytes. Generated sources are larger than any that people write. */
const LARGEST = 16 * 1024 * 1024;
/** Characters of a declaration before its parameters. */
const LONGEST = 500;

const COMMENTS_AND_DIRECTIVES = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|^[ \t]*#(?:[^\n\\]|\\[\s\S])*/gm;
/** Also macros that are named for what they become: FMT_CONSTEXPR20, _GLIBCXX_CONSTEXPR. */
const KEYWORD = /\b\w*(?:constexpr|consteval)\w*/gi;
/** What has parentheses without being the function. */
const PASSED =
  /\b(?:decltype|explicit|alignas|requires|__attribute__)\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|\[\[[^\]]*\]\]/g;
const OPERATOR = /^[^;{}(]*\boperator\s*(\(\s*\)|[^\s(]+)\s*\(/;
const NAME = /^[^;{}=(]*?(~?\w+)\s*\(/;

/** Names, without the templates' arguments. */
export function constexprNames(source: string): Set<string> {
  const text = source.replace(COMMENTS_AND_DIRECTIVES, " ");
  const names = new Set<string>();
  for (const { 0: keyword, index } of text.matchAll(KEYWORD)) {
    const start = index + keyword.length;
    const declaration = text.slice(start, start + LONGEST).replace(PASSED, " ");
    const operator = OPERATOR.exec(declaration)?.[1];
    const name = operator === undefined ? NAME.exec(declaration)?.[1] : `operator${operator}`;
    if (name !== undefined) names.add(name);
  }
  return names;
}

/** Answers for one file after another; each is read once. */
export class ConstexprSources {
  readonly #known = new Map<string, ReadonlySet<string>>();

  /**
   * Whether the file declares a function of this name constexpr; false where it cannot be read.
   * @param name as debug information has it: `twice<int>`, `operator==`
   */
  declares(path: string, name: string): boolean {
    let names = this.#known.get(path);
    if (names === undefined) {
      names = constexprNames(sourceAt(path));
      this.#known.set(path, names);
    }
    return names.has(name) || names.has(name.replace(/(?<=\w)<.*$/s, ""));
  }
}

/** Headers of the system: nobody edits their functions, and some are declared constexpr by a macro for later standards. */
const SYSTEM = /^\/usr\/(?:local\/)?(?:include|lib|lib64)\//;

/** "" where there is nothing to read. The path is a library's, which may name anything. */
function sourceAt(path: string): string {
  if (!isAbsolute(path) || SYSTEM.test(path)) return "";
  try {
    const stats = statSync(path);
    return stats.isFile() && stats.size <= LARGEST ? readFileSync(path, "utf8") : "";
  } catch {
    return ""; // the sources of a library built elsewhere
  }
}
