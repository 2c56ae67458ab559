/** Compares a function's records in two builds: its signature and the layouts of its arguments and result. Pure. */
import type { FunctionRecord, Layout, Records } from "../binary/records.js";
import { changedTypes, type Types } from "./types.js";
import type { Change, Verdict, Verdicts } from "./verdict.js";

/** What is known about a library's functions and types: those of one build, or of everything that runs. */
export interface Recorded {
  readonly functions: ReadonlyMap<string, FunctionRecord>;
  readonly types: Types;
  /** For Rust code; null if unknown. */
  readonly compiler: string | null;
}

export const NOTHING_RECORDED: Recorded = { functions: new Map(), types: new Map(), compiler: null };

/** Two functions with one name are refused elsewhere; here the last one wins. */
export const recorded = ({ functions, types, compiler }: Records): Recorded => ({
  functions: new Map(functions.map((one) => [one.name, one])),
  types,
  compiler,
});

/** For the functions that have a record on both sides. */
export function compareRecords(before: Recorded, after: Recorded): Verdicts {
  const verdicts = new Map<string, Verdict>();
  for (const [name, now] of after.functions) {
    const was = before.functions.get(name);
    if (was === undefined || saysNothing(was) || saysNothing(now)) continue;
    verdicts.set(name, verdictOf(was, now, before, after));
  }
  return verdicts;
}

function verdictOf(was: FunctionRecord, now: FunctionRecord, before: Recorded, after: Recorded): Verdict {
  const change = changeOf(was, now, before.types, after.types);
  if (change !== null) return { check: "record", change };
  const compiler = compilerChange(before.compiler, after.compiler);
  if (compiler !== null) return { check: "record", change: compiler, compiler: true };
  const renamed = was.signature !== now.signature && { remarks: [`${was.signature} is now ${now.signature}`] };
  const unseen = unseenIn(was, now);
  if (unseen.length === 0) return { check: "record", change: null, ...renamed };
  return { check: "partly", change: null, ...renamed, reason: `${unseen.join(", ")}: derive HotpatchLayout` };
}

/** Without `repr(C)`, two versions of rustc may lay out and pass the same type differently. */
const compilerChange = (before: string | null, after: string | null): Change | null =>
  before === null || after === null || before === after
    ? null
    : { code: "layout-changed", reasons: [`built by ${before} -> ${after}`] };

const saysNothing = ({ signature, layouts }: FunctionRecord): boolean => signature === null && layouts.length === 0;

function changeOf(before: FunctionRecord, after: FunctionRecord, old: Types, types: Types): Change | null {
  if (isOtherSignature(before, after))
    return { code: "signature-changed", reasons: [`${before.signature} -> ${after.signature}`] };
  if (before.layouts.length === 0 || after.layouts.length === 0) return null;
  if (before.layouts.length !== after.layouts.length) {
    const reason = `${before.layouts.length - 1} -> ${after.layouts.length - 1} arguments`;
    return { code: "signature-changed", reasons: [reason] };
  }
  const reasons = before.layouts.flatMap((was, i) => {
    const what = i === before.layouts.length - 1 ? "result" : `argument ${i + 1}`;
    return layoutChange(what, was, after.layouts[i] ?? was);
  });
  if (reasons.length === 0) return null;
  return { code: "layout-changed", reasons: [...reasons, ...changedTypes(old, types, before.signature ?? "")] };
}

/** An alias is another text for the same: where all layouts are known and equal, only `extern "C"` and the like count. */
function isOtherSignature(before: FunctionRecord, after: FunctionRecord): boolean {
  if (before.signature === null || after.signature === null || before.signature === after.signature) return false;
  const ahead = (text: string) => text.slice(0, text.indexOf("fn("));
  const same =
    ahead(before.signature) === ahead(after.signature) &&
    before.layouts.length > 0 &&
    before.layouts.length === after.layouts.length &&
    before.layouts.every(({ hash }, i) => hash !== 0n && hash === after.layouts[i]?.hash);
  return !same;
}

/** Arguments and results of which only the size is known, though they are no plain numbers. */
function unseenIn(before: FunctionRecord, after: FunctionRecord): string[] {
  const texts = typesIn(after.signature ?? "");
  return after.layouts.flatMap(({ hash }, i) => {
    const text = texts[i] ?? "";
    const isSeen = (hash !== 0n && before.layouts[i]?.hash !== 0n) || isPlain(text);
    return isSeen ? [] : [`the inside of ${text === "" ? `argument ${i + 1}` : text} was not seen`];
  });
}

/** Numbers, and references to them and to text. */
const PLAIN = /^(?:[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|str|mut|const|static)$/;
const isPlain = (text: string): boolean =>
  (text.replace(/'\w+/g, "").match(/\w+/g) ?? []).every((word) => PLAIN.test(word));

/** The types of the arguments and the result in `unsafe fn(&mut Player, i32) -> i32`; "()" where there is no result. */
function typesIn(signature: string): string[] {
  const start = signature.indexOf("fn(") + 2;
  const end = endOf(signature, start);
  const result = signature.slice(end + 1).trim();
  return [...parted(signature.slice(start + 1, end)), result.startsWith("-> ") ? result.slice(3) : "()"];
}

/** By how much a bracket at a place leads in or out; the `>` of an arrow is none. */
function step(text: string, at: number): number {
  const one = text[at] ?? "";
  if ("([{<".includes(one)) return 1;
  return ")]}".includes(one) || (one === ">" && text[at - 1] !== "-") ? -1 : 0;
}

/** Where the bracket at `start` is closed. */
function endOf(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    depth += step(text, at);
    if (depth === 0) return at;
  }
  return text.length;
}

/** The parts between the commas that are in no brackets. */
function parted(text: string): string[] {
  const parts: string[] = [];
  let [depth, start] = [0, 0];
  for (let at = 0; at <= text.length; at++) {
    depth += step(text, at);
    if (at < text.length && (depth !== 0 || text[at] !== ",")) continue;
    parts.push(text.slice(start, at).trim());
    start = at + 1;
  }
  return parts.filter((part) => part !== "");
}

function layoutChange(what: string, before: Layout, after: Layout): string[] {
  if (before.size !== after.size) return [`${what}: size ${before.size} -> ${after.size}`];
  if (before.align !== after.align) return [`${what}: alignment ${before.align} -> ${after.align}`];
  const known = before.hash !== 0n && after.hash !== 0n;
  return known && before.hash !== after.hash ? [`${what}: laid out differently, inside or behind a pointer`] : [];
}
