/** Builds and judges pairs, two at a time. */
import { type Build, BuildError, type Builder, buildsOf, suits } from "./builds.js";
import { type Judgement, judge } from "./judge.js";
import type { Pair } from "./pairs/pair.js";
import { type Verdict, verdictOf } from "./verdict.js";

/** A pair in one build. */
export interface Result {
  readonly pair: Pair;
  readonly build: string;
  readonly verdict: Verdict;
  /** What was said of it. */
  readonly said: string;
}

/** What to run. */
export interface Plan {
  readonly pairs: readonly Pair[];
  readonly isWanted: (build: Build) => boolean;
  /** As `performance.now()`: no pair is begun afterwards. */
  readonly until: number;
  readonly heard?: (result: Result) => void;
}

/** Compilers that may run at once. */
const WORKERS = 2;

/** All results; fewer than planned if time ran out. */
export async function run(builder: Builder, { pairs, isWanted, until, heard }: Plan): Promise<readonly Result[]> {
  const results: Result[] = [];
  const left = pairs
    .flatMap((pair) => buildsOf(pair.language).map((build) => ({ pair, build })))
    .filter(({ pair, build }) => isWanted(build) && suits(pair, build))
    .values();
  const work = async () => {
    for (const { pair, build } of left) {
      if (performance.now() > until) return;
      const result = await one(builder, pair, build);
      results.push(result);
      heard?.(result);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  return results;
}

async function one(builder: Builder, pair: Pair, build: Build): Promise<Result> {
  const result = (verdict: Verdict, said: string): Result => ({ pair, build: build.name, verdict, said });
  let libraries: readonly [string, string];
  try {
    libraries = await builder.pair(pair, build);
  } catch (error) {
    if (error instanceof BuildError) return result("does-not-build", error.message);
    throw error;
  }
  try {
    const judgement = judge(...libraries);
    return result(verdictOf(pair.expect, judgement), wordsOf(judgement));
  } catch (error) {
    return result("crash", String(error instanceof Error ? error.stack : error));
  }
}

function wordsOf({ refused, check, remarks }: Judgement): string {
  if (refused !== null) return `refused: ${refused}`;
  return `accepted as ${check}${remarks === "" ? "" : `: ${remarks}`}`;
}
