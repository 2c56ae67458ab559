/** `hotpatch diff` for people. Pure. */
import type { DiffReport } from "../../schemas/diff-report.js";
import { printable } from "../text/printable.js";

/** Most important first. */
const ORDER = ["refused", "missing", "new", "switched", "unchanged"] as const;

/** @param raw also show mangled names (-v) */
export function diffLines(diff: DiffReport, raw: boolean): string[] {
  const { functions, state, notes, refused } = diff;
  const sorted = ORDER.flatMap((status) => functions.filter((one) => one.status === status));
  return [
    `${diff.old.path} -> ${diff.new.path}: ${refused === null ? "can be switched" : `REFUSED [${refused.code}]`}`,
    ...(functions.length > 0 ? ["functions"] : []),
    ...sorted.flatMap(({ name, demangled, status, check, reason }) => [
      `  ${status.padEnd(9)}  ${demangled}  (${check})`,
      ...(raw && name !== demangled ? [`             ${name}`] : []),
      ...(reason === undefined ? [] : reason.split("; ").map((part) => `             ${part}`)),
    ]),
    ...(state.length > 0 ? ["state"] : []),
    ...state.flatMap(({ name, status, changes }) => [
      `  ${status.padEnd(9)}  ${name}`,
      ...changes.map((change) => `             ${change}`),
    ]),
    ...(notes.length > 0 ? ["notes"] : []),
    ...notes.map((note) => `  ${note}`),
  ].map(printable);
}
