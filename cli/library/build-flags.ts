/**
 * Whether callers of an unmarked function really call it. Compilers inline, clone and analyse what they can see, and
 * then callers silently miss an edit. Decided from what the library's debug information says about how it was built.
 * Pure. Measured cases: docs/decisions/0010.
 */
import type { Compiled } from "../binary/dwarf/producers.js";

/** Why a function must not be switched, and the cure. */
export interface BuildIssue {
  readonly reason: string;
  readonly cure: string;
}

const CURE_GCC =
  "build with -O0, or with gcc -O2 -fpatchable-function-entry=16 -fno-inline -flive-patching=inline-only-static; or mark the functions";
const CURE_CLANG =
  "build with clang -O0, or with gcc and its live-patching flags (docs/marks.md); or mark the functions";

/** Keep gcc -O1 and above from inlining, cloning and analysing a callee. */
const FOR_PATCHING = ["-fno-inline", "-flive-patching=inline-only-static"];
/** Let gcc rely on the bodies of exported functions, too. */
const NOT_REPLACEABLE = /-fno-semantic-interposition|-Ofast|-fwhole-program/;

/**
 * @param compiled the source file that the function's code belongs to; null if unknown
 * @param replaceable whether it is exported, so that another library may interpose it
 * @param commandLines what -frecord-command-line left in the file: clang records its flags nowhere else
 */
export function whyUntrusted(
  compiled: Compiled | null,
  replaceable: boolean,
  commandLines: readonly string[],
): BuildIssue | null {
  const producer = compiled?.producer ?? null;
  if (compiled === null || producer === null)
    return {
      reason: "no debug information says how it was compiled, so its callers may have inlined it",
      cure: "build with -g (without -gsplit-dwarf)",
    };
  if (/^GNU AS\b/.test(producer))
    return {
      reason: "it is written in assembly: what its callers expect of it is unknown",
      cure: "mark it",
    };
  if (/^GNU /.test(producer)) return whyGccUntrusted(producer, replaceable);
  if (/\brustc\b/.test(producer))
    return {
      reason: "rustc inlines across functions and does not record where",
      cure: "mark the functions with #[hotpatch]",
    };
  if (/\bclang\b/.test(producer)) return whyClangUntrusted(compiled.optimisation(), replaceable, commandLines);
  return { reason: `its compiler is unknown: ${producer}`, cure: CURE_GCC };
}

/**
 * Whether a compiler had to expect that another library replaces an exported function: only for code of shared
 * libraries. Linked into one all the same, code for an executable relies on the bodies it has seen.
 */
const isForLibraries = (flags: readonly string[]): boolean =>
  /^-fpic$/i.test(flags.filter((flag) => /^-f(?:no-)?(?:pic|pie)$/i.test(flag)).at(-1) ?? "");

function whyGccUntrusted(producer: string, replaceable: boolean): BuildIssue | null {
  const flags = producer.split(/\s+/);
  const level = flags.filter((flag) => /^-O/.test(flag)).at(-1) ?? "-O0";
  if (level === "-O0" || FOR_PATCHING.every((flag) => flags.includes(flag))) return null;
  if (replaceable && !isForLibraries(flags))
    return {
      reason: `it was compiled with gcc ${level} and not with -fPIC, as for an executable: callers rely on the bodies of exported functions too`,
      cure: `build with -fPIC; or ${CURE_GCC}`,
    };
  if (replaceable && !NOT_REPLACEABLE.test(producer)) return null;
  return {
    reason: `it was compiled with gcc ${level}, where callers of a function that is not exported may rely on its old body`,
    cure: CURE_GCC,
  };
}

function whyClangUntrusted(
  optimisation: ReturnType<Compiled["optimisation"]>,
  replaceable: boolean,
  commandLines: readonly string[],
): BuildIssue | null {
  if (optimisation === "none") return null;
  const lines = commandLines.filter((line) => /clang/.test(line));
  const isReplaceable = (line: string) =>
    /\s-fsemantic-interposition\b/.test(line) && isForLibraries(line.split(/\s+/));
  if (replaceable && lines.length > 0 && lines.every(isReplaceable)) return null;
  if (optimisation === "untold")
    return {
      reason: "its debug information does not say at which level clang optimised it",
      cure: "build with -g instead of line tables only",
    };
  return {
    reason:
      "it was compiled by clang with optimisation and, as far as the file shows, without -fsemantic-interposition -fPIC: callers keep constants and code of the old body",
    cure: CURE_CLANG,
  };
}
