/** What a run has come to, as text. Pure. */
import { groupBy } from "./group.js";
import type { Result } from "./run.js";
import type { Verdict } from "./verdict.js";

const VERDICTS: readonly Verdict[] = [
  "right",
  "false-accept",
  "false-refusal",
  "unseen",
  "hiding",
  "does-not-build",
  "crash",
];
const FAULTS: readonly Verdict[] = ["crash", "false-accept", "false-refusal", "does-not-build"];
/** Of the list of faults, unless all are wanted. */
const SCREENFUL = 40;
const WIDTH = 300;

/** A table by language and cause. */
export const byCause = (results: readonly Result[]): string => table("cause", results, ({ pair }) => pair.cause);

/** A table by language and build. */
export const byBuild = (results: readonly Result[]): string => table("build", results, ({ build }) => build);

function table(by: string, results: readonly Result[], nameOf: (result: Result) => string): string {
  const groups = groupBy(results, (one) => `${one.pair.language} | ${nameOf(one)}`);
  const languages = groupBy(results, ({ pair }) => `${pair.language} | **all**`);
  const head = ["language", by, "pairs", "builds", ...VERDICTS.map((one) => one.replaceAll("-", " "))];
  const rows = [...groups, ...languages].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, some]) => row(name, some));
  return [head.join(" | "), head.map(() => "---").join(" | "), ...rows, row("all | ", results)]
    .map((line) => `| ${line} |`)
    .join("\n");
}

function row(name: string, results: readonly Result[]): string {
  const pairs = new Set(results.map(({ pair }) => pair)).size;
  const counts = VERDICTS.map((verdict) => count(results, verdict) || "");
  return [name, pairs, results.length, ...counts].join(" | ");
}

/** How many results have a verdict. */
export const count = (results: readonly Result[], verdict: Verdict): number =>
  results.filter((one) => one.verdict === verdict).length;

/** The faults, worst first: each pair with its builds once for each thing that was said. @param isWhole all of them */
export function faults(results: readonly Result[], isWhole: boolean): string {
  const lines = FAULTS.flatMap((verdict) => {
    const some = results.filter((one) => one.verdict === verdict);
    const same = groupBy(some, ({ pair, said }) => `${pair.name}\n${said}`);
    return [...same.values()].map(line);
  });
  const shown = isWhole ? lines : lines.slice(0, SCREENFUL);
  const rest = lines.length - shown.length;
  return [...shown, ...(rest > 0 ? [`... and ${rest} more: -v shows all`] : [])].join("\n");
}

function line(results: readonly Result[]): string {
  const [first] = results;
  if (first === undefined) return "";
  const { pair, verdict, said } = first;
  const builds = results.map(({ build }) => build).join(", ");
  const words = said.replaceAll(/\s+/g, " ");
  const short = words.length > WIDTH ? `${words.slice(0, WIDTH)}...` : words;
  return `${verdict.replaceAll("-", " ").toUpperCase()} ${pair.name} [${builds}]\n    said: ${short}\n    ${pair.expect}: ${pair.why}`;
}

/** For other programs. */
export const asJson = (results: readonly Result[]): string =>
  JSON.stringify(
    results.map(({ pair: { name, language, cause, expect, why }, build, verdict, said }) => ({
      name,
      language,
      cause,
      expect,
      why,
      build,
      verdict,
      said,
    })),
    null,
    1,
  );
