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
    const change = changeOf(was, now, before.types, after.types) ?? compilerChange(before.compiler, after.compiler);
    verdicts.set(name, { check: "record", change });
  }
  return verdicts;
}

/** Without `repr(C)`, two versions of rustc may lay out and pass the same type differently. */
const compilerChange = (before: string | null, after: string | null): Change | null =>
  before === null || after === null || before === after
    ? null
    : { code: "layout-changed", reasons: [`built by ${before} -> ${after}`] };

const saysNothing = ({ signature, layouts }: FunctionRecord): boolean => signature === null && layouts.length === 0;

function changeOf(before: FunctionRecord, after: FunctionRecord, old: Types, types: Types): Change | null {
  if (before.signature !== null && after.signature !== null && before.signature !== after.signature)
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

function layoutChange(what: string, before: Layout, after: Layout): string[] {
  if (before.size !== after.size) return [`${what}: size ${before.size} -> ${after.size}`];
  if (before.align !== after.align) return [`${what}: alignment ${before.align} -> ${after.align}`];
  const known = before.hash !== 0n && after.hash !== 0n;
  return known && before.hash !== after.hash ? [`${what}: laid out differently, inside or behind a pointer`] : [];
}
