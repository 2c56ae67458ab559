/** `hotpatch diff` for people. Pure. */
import type { DiffReport } from "../../schemas/diff-report.js";
import { printable } from "../text/printable.js";

type DiffFunction = DiffReport["functions"][number];

/** Most important first. */
const ORDER = ["refused", "missing", "new", "switched", "unchanged"] as const;
/** Functions of one status that are listed without -v; of more, some groups are, and the rest is counted. */
const FEW = 8;
const FEW_GROUPS = 2;
/** Changes that are listed without -v, names after each, and parts of a change or a reason. */
const FEW_CHANGES = 6;
const FEW_NAMES = 3;
const FEW_PARTS = 3;
/** Characters of a name among others, and of a part. */
const NAME = 48;
const PART = 150;

/** @param whole everything, and mangled names too (-v); otherwise at most a screenful */
export function diffLines(diff: DiffReport, whole: boolean): string[] {
  const { functions, state, notes, refused } = diff;
  const shared = new Set(diff.changes.filter((one) => one.functions.length > 1).map(({ change }) => change));
  return [
    `${diff.old.path} -> ${diff.new.path}: ${refused === null ? "can be switched" : `REFUSED [${refused.code}]`}`,
    ...changeLines(diff, shared, whole),
    ...(functions.length > 0 ? ["functions"] : []),
    ...ORDER.flatMap((status) =>
      statusLines(
        functions.filter((one) => one.status === status),
        shared,
        whole,
      ),
    ),
    ...(state.length > 0 ? ["state"] : []),
    ...state.flatMap(({ name, status, changes, check, reason }) => [
      `  ${status.padEnd(9)}  ${name}${status === "kept" ? `  (${check})` : ""}`,
      ...[...changes, ...(reason === undefined ? [] : [reason])].map((text) => `             ${text}`),
    ]),
    ...(notes.length > 0 ? ["notes"] : []),
    ...notes.map((note) => `  ${note}`),
  ].map(printable);
}

/** Changes that reach several functions: each once. */
function changeLines(diff: DiffReport, shared: ReadonlySet<string>, whole: boolean): string[] {
  if (shared.size === 0) return [];
  const people = new Map(diff.functions.map(({ name, demangled }) => [name, demangled]));
  const all = diff.changes.filter(({ change }) => shared.has(change));
  const shown = whole ? all : all.slice(0, FEW_CHANGES);
  return [
    "changes",
    ...shown.flatMap(({ change, functions }) => {
      const names = functions.map((name) => people.get(name) ?? name);
      const text = whole ? change : partsOf(change, false).join("; ");
      return [`  ${text}`, `    reaches ${whole ? names.join(", ") : listed(names)}`];
    }),
    ...(all.length > shown.length ? [`  and ${all.length - shown.length} more: -v lists them`] : []),
  ];
}

/** The functions of one status. Without -v those that are told the same of share a line. */
function statusLines(all: readonly DiffFunction[], shared: ReadonlySet<string>, whole: boolean): string[] {
  if (whole) return all.flatMap((one) => groupLines([one], shared, whole));
  const groups = new Map<string, DiffFunction[]>();
  for (const one of all) {
    const key = [one.check, ownReason(one, shared)].join();
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const largest = [...groups.values()].sort((a, b) => b.length - a.length);
  const shown = all.length > FEW ? FEW_GROUPS : FEW;
  const rest = largest.slice(shown).flat();
  return [
    ...largest.slice(0, shown).flatMap((group) => groupLines(group, shared, whole)),
    ...(rest[0] === undefined ? [] : [`  ${rest[0].status.padEnd(9)}  and ${rest.length} more: -v lists them`]),
  ];
}

/** Functions of which the same is told. */
function groupLines(group: readonly DiffFunction[], shared: ReadonlySet<string>, whole: boolean): string[] {
  const [first] = group;
  if (first === undefined) return [];
  const { name, demangled, status, check } = first;
  const names = group.map((one) => one.demangled);
  return [
    `  ${status.padEnd(9)}  ${group.length === 1 ? demangled : listed(names)}  (${check})`,
    ...(whole && name !== demangled ? [`             ${name}`] : []),
    ...partsOf(ownReason(first, shared), whole).map((part) => `             ${part}`),
  ];
}

/** What is said of a function alone. */
function ownReason({ reason = "" }: DiffFunction, shared: ReadonlySet<string>): string {
  return [...shared].reduce((text, change) => text.replace(change, ""), reason);
}

function partsOf(text: string, whole: boolean): string[] {
  const parts = text.split("; ").filter((part) => part.trim() !== "");
  if (whole) return parts;
  const shown = parts.slice(0, FEW_PARTS).map((part) => (part.length > PART ? `${part.slice(0, PART)}...` : part));
  return parts.length > FEW_PARTS ? [...shown, `and ${parts.length - FEW_PARTS} more`] : shown;
}

/** "135 functions: a, b, c, ..." */
function listed(names: readonly string[]): string {
  const cut = names
    .slice(0, FEW_NAMES)
    .map((name) => (name.length > NAME ? `${name.slice(0, NAME)}...` : name))
    .join(", ");
  return names.length > FEW_NAMES ? `${names.length} functions: ${cut}, ...` : cut;
}
