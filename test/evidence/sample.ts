/** The sample of the campaign that the tests judge. */
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { ROOT } from "../support/workshop.js";
import { Builder } from "./builds.js";
import { groupBy } from "./group.js";
import { KNOWN } from "./known.js";
import type { Language } from "./pairs/pair.js";
import { PAIRS, spread } from "./pairs.js";
import { type Result, run } from "./run.js";
import type { Verdict } from "./verdict.js";

const SEED = 1;
const FAULTS: readonly Verdict[] = ["false-accept", "false-refusal", "crash", "does-not-build"];

/** Judges some pairs of the languages, and asserts that all faults are known and all that are known are there. */
export async function judgeSample(
  t: ExecutionContext,
  languages: readonly Language[],
  count: number,
  builds: readonly string[],
): Promise<void> {
  const pairs = spread(
    PAIRS.filter(({ language }) => languages.includes(language)),
    SEED,
  ).slice(0, count);
  const results = await run(new Builder(join(ROOT, "dist/evidence-cache")), {
    pairs,
    isWanted: ({ name }) => builds.includes(name),
    until: Number.POSITIVE_INFINITY,
  });
  t.true(results.length >= count, "pairs were judged");
  const faults = groupBy(
    results.filter(({ verdict }) => FAULTS.includes(verdict)),
    ({ pair, verdict }) => `${verdict}: ${pair.name}`,
  );
  const names = new Set(pairs.map(({ name }) => name));
  const known = new Set(
    KNOWN.flatMap(({ verdict, pairs: listed }) =>
      listed.filter((pair) => names.has(pair)).map((pair) => `${verdict}: ${pair}`),
    ),
  );
  t.deepEqual(
    [...faults].filter(([fault]) => !known.has(fault)).map(([, some]) => some.map(words)),
    [],
    "new faults",
  );
  t.deepEqual(
    [...known].filter((fault) => !faults.has(fault)),
    [],
    "judged rightly: to be taken from known.ts",
  );
}

const words = ({ pair: { name, expect, why }, build, verdict, said }: Result): string =>
  `${verdict} [${build}] ${name}: ${said}. ${expect}: ${why}`;
