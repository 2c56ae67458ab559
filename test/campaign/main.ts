/**
 * `npm run campaign [minutes] [--seed N] [--only TEXT] [--workers N]`: hosts of every kind and faults at random, each host's
 * life and each status held against what the host prints. Ends with a table by kind of host and the line
 * "N passed, N failed"; exit code 1 where a round failed. A round is run again by its own seed:
 * `npm run campaign 1 -- --round SEED --only NAME`. Results of past runs: docs/reliability.md.
 */
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { Workshop } from "../support/workshop.js";
import { Fault } from "./host.js";
import { type Kind, kindsOn } from "./kinds.js";
import { Random } from "./random.js";
import { type Counts, Round } from "./round.js";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string" },
    round: { type: "string" },
    only: { type: "string", multiple: true },
    workers: { type: "string", default: "2" },
  },
});
const MINUTES = Number(positionals[0] ?? 10);
const SEED = Number(flags.seed ?? Math.floor(Math.random() * 2 ** 31));
const COLUMNS = [
  "spawned",
  "attached",
  "busy",
  "refused",
  "cut off",
  "edit",
  "rollback",
  "restore",
  "status",
  "null status",
  "slow status",
  "end",
  "keep",
  "kill the tool",
  "kill the bridge",
];

interface Result {
  readonly counts: Counts;
  rounds: number;
  readonly faults: string[];
}

const teardowns: (() => Promise<void> | void)[] = [];
const shop = new Workshop({ teardown: (work: () => Promise<void> | void) => void teardowns.push(work) } as never);
const results = new Map<string, Result>();
const until = performance.now() + MINUTES * 60_000;
let number = 0;

async function one(kind: Kind, seed: number): Promise<void> {
  const result: Result = results.get(kind.name) ?? { counts: new Map(), rounds: 0, faults: [] };
  results.set(kind.name, result);
  try {
    await new Round(shop, kind, new Random(seed), result.counts, number++).run();
  } catch (error) {
    const what = error instanceof Fault ? error.message : String(error instanceof Error ? error.stack : error);
    result.faults.push(what);
    console.log(`FAULT ${kind.name}, round ${seed}: ${what}`);
  } finally {
    result.rounds++;
  }
}

/** A worker draws kinds in turns: all of them in an order of its own, then again. */
async function work(kinds: readonly Kind[], random: Random): Promise<void> {
  while (performance.now() < until) {
    const left = [...kinds];
    while (left.length > 0 && performance.now() < until) {
      const [kind] = left.splice(random.below(left.length), 1);
      if (kind !== undefined) await one(kind, Math.floor(random.next() * 2 ** 31));
    }
  }
}

function table(): string {
  const head = ["kind of host", "rounds", ...COLUMNS, "faults"];
  const rows = [...results].map(([name, { counts, rounds, faults }]) => [
    name,
    rounds,
    ...COLUMNS.map((column) => counts.get(column) ?? 0),
    faults.length,
  ]);
  const sums = [
    "all",
    ...Array.from({ length: COLUMNS.length + 2 }, (_, i) => rows.reduce((sum, row) => sum + Number(row[i + 1]), 0)),
  ];
  return [head, head.map(() => "---"), ...rows, sums].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

console.log(`seed ${SEED}, ${MINUTES} minutes, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`);
const only = flags.only;
const { kinds, missing } = await kindsOn(
  shop,
  (name) => only === undefined || only.some((text) => name.includes(text)),
);
for (const reason of missing) console.log(`left out: ${reason}`);
const [first] = kinds;
if (first === undefined) throw new Error("no kind of host is left");
try {
  if (flags.round !== undefined) await one(first, Number(flags.round));
  else await Promise.all(Array.from({ length: Number(flags.workers) }, (_, i) => work(kinds, new Random(SEED + i))));
} finally {
  for (const end of teardowns) await end();
}
console.log(table());
const failed = [...results.values()].reduce((sum, { faults }) => sum + faults.length, 0);
const rounds = [...results.values()].reduce((sum, result) => sum + result.rounds, 0);
console.log(`load ${loadavg()[0]?.toFixed(1)} at the end`);
console.log(`${rounds - failed} passed, ${failed} failed${missing.length > 0 ? `, ${missing.length} skipped` : ""}`);
process.exit(failed === 0 ? 0 : 1);
