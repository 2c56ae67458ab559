/**
 * `npm run evidence [minutes] -- [--sample N] [--seed N] [--only TEXT] [--builds TEXT] [--cache FOLDER] [--result FILE] [-v]`:
 * pairs of old and new sources of which it is known whether a switch would do harm, built in many ways and judged like
 * `hotpatch diff` does. Ends with tables by cause and by build, and the list of what was judged wrong; exit code 1 if
 * harm was told as checked, or the engine failed. Compiled libraries are kept: a run that was interrupted goes on where
 * it stopped. `--list` prints the pairs, `--show TEXT` their sources.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../support/workshop.js";
import { Builder } from "./builds.js";
import type { Pair } from "./pairs/pair.js";
import { PAIRS, spread } from "./pairs.js";
import { asJson, byBuild, byCause, count, faults } from "./report.js";
import { run } from "./run.js";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: "string" },
    seed: { type: "string", default: "1" },
    only: { type: "string", multiple: true },
    builds: { type: "string", multiple: true },
    cache: { type: "string", default: join(ROOT, "dist/evidence-cache") },
    result: { type: "string", default: join(ROOT, "dist/evidence.json") },
    list: { type: "boolean", default: false },
    show: { type: "string" },
    verbose: { type: "boolean", short: "v", default: false },
  },
});

/** Names and causes are searched for all that is asked for; nothing asked for is all. */
const isAsked = (texts: readonly string[] | undefined, ...words: readonly string[]): boolean =>
  texts === undefined || texts.some((text) => words.some((word) => word.includes(text)));

const asked = PAIRS.filter(({ name, cause }) => isAsked(flags.only, name, cause));
const pairs = spread(asked, Number(flags.seed)).slice(
  0,
  flags.sample === undefined ? asked.length : Number(flags.sample),
);

const shown = ({ name, expect, why, old, new: now }: Pair): string =>
  `=== ${name}\n${expect}: ${why}\n--- old\n${old.join("--- unit\n")}--- new\n${now.join("--- unit\n")}`;

async function judgeAll(): Promise<number> {
  const minutes = positionals[0] === undefined ? Number.POSITIVE_INFINITY : Number(positionals[0]);
  const began = performance.now();
  let told = began;
  let done = 0;
  console.log(`${pairs.length} of ${PAIRS.length} pairs, seed ${flags.seed}`);
  const results = await run(new Builder(flags.cache), {
    pairs,
    isWanted: ({ name }) => isAsked(flags.builds, name),
    until: began + minutes * 60_000,
    heard: () => {
      done++;
      if (performance.now() < told + 30_000) return;
      told = performance.now();
      console.log(`${done} builds judged`);
    },
  });
  mkdirSync(dirname(flags.result), { recursive: true });
  writeFileSync(flags.result, `${asJson(results)}\n`);
  console.log(`${byCause(results)}\n\n${byBuild(results)}\n`);
  console.log(faults(results, flags.verbose));
  const wrong = count(results, "false-accept") + count(results, "crash");
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`${results.length} builds of pairs in ${seconds} s; ${flags.result}`);
  console.log(`${count(results, "false-accept")} false accepts, ${count(results, "false-refusal")} false refusals`);
  return wrong === 0 ? 0 : 1;
}

if (flags.list) for (const { name, cause, expect, why } of pairs) console.log(`${expect}\t${cause}\t${name}\t${why}`);
else if (flags.show !== undefined)
  for (const pair of PAIRS.filter(({ name }) => name.includes(flags.show ?? ""))) console.log(shown(pair));
else process.exitCode = await judgeAll();
