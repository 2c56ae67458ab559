/** What an edit is told to have changed: real compilers, and exactly the functions that do something else. */
import { readFileSync } from "node:fs";
import test, { type ExecutionContext } from "ava";
import { demangle } from "../../../cli/library/demangle.js";
import { whatIsReached } from "../../../cli/library/reached.js";
import { compare } from "../../../cli/steps/compare.js";
import { type Inspected, inspect } from "../../../cli/steps/inspect.js";
import { type Build, Crate, cargoTest, OPTIMISED } from "../../support/cargo.js";
import { Workshop } from "../../support/workshop.js";
import { has } from "../binary/fixtures.js";
import { C_EDITS, C_PROGRAM } from "./edits/c.js";
import { CPP_EDITS, CPP_PROGRAM } from "./edits/cpp.js";
import type { Edit } from "./edits/edit.js";
import { RUST_EDITS, RUST_PROGRAM } from "./edits/rust.js";

function read(path: string): Inspected {
  const inspection = inspect(path, path, readFileSync(path), "");
  if (inspection.kind !== "fit") throw new Error(JSON.stringify(inspection.report));
  return inspection.artifact;
}

/** The program after an edit. */
function edited(program: string, { what, from, to, also = [] }: Edit): string {
  return [[from, to] as const, ...also].reduce((text, [old, fresh]) => {
    if (text.split(old).length !== 2) throw new Error(`${what}: "${old}" is not once in the program`);
    return text.replace(old, () => fresh);
  }, program);
}

/** As edits name functions: without namespaces, arguments and what a mark adds. */
const short = (name: string): string =>
  name
    .replace(/\(.*$/, "")
    .replace(/<.*$/, "")
    .replace(/^.*(?:::| )(?=\S)/, "");

interface Told {
  readonly switched: readonly string[];
  readonly reasons: ReadonlyMap<string, string | undefined>;
}

function told(before: Inspected, after: Inspected): Told {
  const known = [...before.code.keys()];
  const reached = whatIsReached(before.meanings, after.meanings);
  const { functions } = compare({ known, before: before.code, after: after.code, refused: after.refused, reached });
  const names = demangle(functions.map(({ name }) => name));
  const switched = functions.flatMap(({ status, reason }, i) =>
    status === "switched" ? [[short(names[i] ?? ""), reason] as const] : [],
  );
  return { switched: switched.map(([name]) => name).sort(), reasons: new Map(switched) };
}

async function check(
  t: ExecutionContext,
  program: string,
  edits: readonly Edit[],
  build: (name: string, source: string) => Promise<string>,
  optimised: boolean,
): Promise<void> {
  const before = read(await build("before.so", program));
  for (const [i, edit] of edits.entries()) {
    const after = read(await build(`after${i}.so`, edited(program, edit)));
    const expected = (optimised ? edit.optimised : undefined) ?? edit;
    const { switched, reasons } = told(before, after);
    t.deepEqual(switched, [...expected.switched].sort(), edit.what);
    for (const [name, reason] of Object.entries(expected.reasons ?? {})) t.is(reasons.get(name), reason, edit.what);
  }
}

const BUILDS = [
  { compiler: "gcc", level: "-O0", program: C_PROGRAM, edits: C_EDITS },
  { compiler: "gcc", level: "-O2", program: C_PROGRAM, edits: C_EDITS },
  { compiler: "clang", level: "-O0", program: C_PROGRAM, edits: C_EDITS },
  { compiler: "clang", level: "-O2", program: C_PROGRAM, edits: C_EDITS },
  { compiler: "g++", level: "-O0", program: CPP_PROGRAM, edits: CPP_EDITS },
  { compiler: "g++", level: "-O2", program: CPP_PROGRAM, edits: CPP_EDITS },
  { compiler: "clang++", level: "-O2", program: CPP_PROGRAM, edits: CPP_EDITS },
] as const;

for (const { compiler, level, program, edits } of BUILDS)
  (has(compiler) ? test : test.skip)(
    `each edit changes what it changes, and nothing else (${compiler} ${level})`,
    (t) => {
      t.timeout(300_000);
      const shop = new Workshop(t);
      const build = (name: string, source: string) => shop.library(name, source, [level, "-g0"], compiler);
      return check(t, program, edits, build, level === "-O2");
    },
  );

const RUST_BUILDS: readonly Build[] = [{ what: "debug" }, OPTIMISED, { what: "release", args: ["--release"] }];

for (const one of RUST_BUILDS)
  cargoTest(`each edit changes what it changes, and nothing else (Rust, ${one.what})`, (t) => {
    t.timeout(600_000);
    const crate = new Crate(new Workshop(t), "edited", one);
    return check(t, RUST_PROGRAM, RUST_EDITS, (_, source) => crate.build(source), one.what !== "debug");
  });
