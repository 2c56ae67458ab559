/** docs/cli.md is a contract: what stands there is what the schemas and the parser have, in both directions. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { z } from "zod";
import { parser } from "../cli/commandline/args.js";
import { Command } from "../schemas/command.js";
import { ErrorCode } from "../schemas/error.js";
import { SessionEvent } from "../schemas/event.js";
import { EXIT } from "../schemas/exit.js";
import { ROOT } from "./support/workshop.js";

const page = readFileSync(join(ROOT, "docs/cli.md"), "utf8");
const section = (title: string): string => page.split(/^## /m).find((one) => one.startsWith(title)) ?? "";
/** Those code spans of a text that are one word. */
const words = (text: string): string[] => [...text.matchAll(/`([A-Za-z][A-Za-z-]*)`/g)].map(([, word = ""]) => word);
const rowsOf = (text: string): string[][] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1));
const sorted = (all: Iterable<string>): string[] => [...new Set(all)].sort();

const unused = () => Promise.reject(new Error("no command is run"));
const program = parser("0", { session: unused, choose: unused, inspect: unused, doctor: unused, diff: unused });
const commands = new Map(program.commands.map((one) => [one.name(), one]));

test("its options are those of spawn and attach", (t) => {
  const table = rowsOf(section("Commands")).map(([option = ""]) => option);
  const documented = table.flatMap((cell) =>
    [...cell.matchAll(/(?:^|[ `,])(--?[a-z-]+)/g)].map(([, flag = ""]) => flag),
  );
  for (const name of ["spawn", "attach"]) {
    const options = commands.get(name)?.options ?? [];
    const flags = options.flatMap(({ long, short }) => [long, short].filter((one) => typeof one === "string"));
    // -vv is -v given twice; --verbose is its long form.
    t.deepEqual(
      sorted(documented.filter((flag) => flag !== "-vv")),
      sorted(flags.filter((flag) => flag !== "--verbose")),
    );
  }
});

test("its commands are those of the parser, and have help with an example", (t) => {
  const documented = [...section("Commands").matchAll(/^hotpatch (\w+)/gm)].map(([, name = ""]) => name);
  t.deepEqual(sorted(documented), sorted(commands.keys()));
});

interface Variant {
  readonly type: string;
  readonly fields: readonly string[];
}

const variants: readonly Variant[] = SessionEvent.options.map((option) => {
  const shape: Record<string, z.ZodType> = option.shape;
  return { type: option.shape.type.value, fields: Object.keys(shape) };
});

/** Said of all events, where they apply. */
const COMMON = ["type", "at", "generation", "library"];

test("its events are those of the schema, with their fields", (t) => {
  const events = section("Events");
  for (const name of COMMON) t.true(events.includes(`\`${name}\``));
  const rows = rowsOf(events);
  const inRules = ["status", "preview"];
  const documented = rows.flatMap(([types = ""]) =>
    [...types.matchAll(/`([a-z]+(?::[a-z]+)?)`/g)].map(([, one = ""]) => one),
  );
  t.deepEqual(sorted([...documented, ...inRules]), sorted(variants.map(({ type }) => type)));
  for (const [types = "", text = ""] of rows) {
    const those = variants.filter(({ type }) => types.includes(`\`${type}\``));
    const own = (names: readonly string[]) => sorted(names.filter((name) => !COMMON.includes(name)));
    t.deepEqual(own(words(text)), own(those.flatMap(({ fields }) => fields)), types);
  }
  for (const type of inRules) {
    const fields = variants.find((one) => one.type === type)?.fields ?? [];
    const shown = page.split("\n").find((line) => line.includes(`{"type":"${type}"`)) ?? "";
    for (const field of fields.filter((one) => one !== "at")) t.true(shown.includes(`"${field}"`), `${type}: ${field}`);
  }
});

test("its commands on stdin are those of the schema", (t) => {
  const documented = [...section("Commands on stdin").matchAll(/"command":"(\w+)"/g)].map(([, name = ""]) => name);
  t.deepEqual(sorted(documented), sorted(Command.options.map((option) => option.shape.command.value)));
});

test("its error codes are those of the schema", (t) => {
  t.deepEqual(sorted(words(section("Bad input"))), sorted(ErrorCode.options));
});

test("its exit codes are those of the tool", (t) => {
  const [text = ""] = section("Exit codes").split("\n").slice(1);
  const documented = text
    .split(" · ")
    .flatMap((one) => /^(\d+) /.exec(one)?.[1] ?? [])
    .map(Number);
  t.deepEqual(documented, Object.values(EXIT));
});
