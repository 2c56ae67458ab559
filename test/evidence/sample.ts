/** The sample of the campaign that the tests judge. */
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { ROOT } from "../support/workshop.js";
import { Builder } from "./builds.js";
import type { Language } from "./pairs/pair.js";
import { PAIRS, spread } from "./pairs.js";
import { type Result, run } from "./run.js";
import type { Verdict } from "./verdict.js";

const SEED = 1;
const FAULTS: readonly Verdict[] = ["false-accept", "false-refusal", "crash", "does-not-build"];

/** Judges some pairs of the languages, and asserts that the engine has no fault. */
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
  t.deepEqual(results.filter(({ verdict }) => FAULTS.includes(verdict)).map(words), []);
}

const words = ({ pair: { name, expect, why }, build, verdict, said }: Result): string =>
  `${verdict} [${build}] ${name}: ${said}. ${expect}: ${why}`;
