/** `hotpatch diff` for people. Pure. */
import type { DiffReport } from "../../schemas/diff-report.js";
import { printable } from "../text/printable.js";

type DiffFunction = DiffReport["functions"][number];

/** Most important first. */
const ORDER = ["refused", "missing", "new", "switched", "unchanged"] as const;
/** Functions that are listed one by one without -v; more are counted. */
const FEW = 12;
/** Changes that are listed without -v, and names after each. */
const FEW_CHANGES = 10;
const FEW_NAMES = 3;
/** Characters of a name among others. */
const NAME = 48;

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
      return [`  ${change}`, `    reaches ${whole ? names.join(", ") : listed(names)}`];
    }),
    ...(all.length > shown.length ? [`  and ${all.length - shown.length} more: -v lists them`] : []),
  ];
}

/** The functions of one status. */
function statusLines(all: readonly DiffFunction[], shared: ReadonlySet<string>, whole: boolean): string[] {
  const shown =
    whole || all.length <= FEW ? all : all.filter((one) => ownReasons(one, shared).length > 0).slice(0, FEW);
  const rest = all.filter((one) => !shown.includes(one));
  const [first] = rest;
  const names = rest.map(({ demangled }) => demangled);
  return [
    ...shown.flatMap((one) => functionLines(one, shared, whole)),
    ...(first === undefined ? [] : [`  ${first.status.padEnd(9)}  ${shown.length > 0 ? "and " : ""}${listed(names)}`]),
  ];
}

function functionLines(one: DiffFunction, shared: ReadonlySet<string>, whole: boolean): string[] {
  const { name, demangled, status, check } = one;
  return [
    `  ${status.padEnd(9)}  ${demangled}  (${check})`,
    ...(whole && name !== demangled ? [`             ${name}`] : []),
    ...ownReasons(one, shared).map((part) => `             ${part}`),
  ];
}

/** What is said of a function alone. */
function ownReasons({ reason }: DiffFunction, shared: ReadonlySet<string>): string[] {
  if (reason === undefined) return [];
  const rest = [...shared].reduce((text, change) => text.replace(change, ""), reason);
  return rest.split("; ").filter((part) => part.trim() !== "");
}

/** "135 functions: a, b, c, ..." */
function listed(names: readonly string[]): string {
  const cut = names
    .slice(0, FEW_NAMES)
    .map((name) => (name.length > NAME ? `${name.slice(0, NAME)}...` : name))
    .join(", ");
  return names.length > FEW_NAMES ? `${names.length} functions: ${cut}, ...` : cut;
}
