/** Step: which storage a copy's persistent variables use. Pure: records in, addresses or a refusal out. */
import type { StateVariable } from "../../schemas/agent.js";
import type { ExportedVariable } from "../binary/exports.js";
import type { StateRecord } from "../binary/state.js";
import { changedTypes, type Types } from "../evidence/types.js";
import type { StatePointer } from "./prepare.js";

export type Claim =
  | { readonly kind: "fits"; readonly pointers: readonly StatePointer[] }
  /** A variable's meaning differs from the live data's. */
  | { readonly kind: "changed"; readonly differences: readonly string[] }
  | { readonly kind: "ambiguous"; readonly name: string };

/**
 * @param live the variables of the generations so far: the first that had one owns it, and its storage is used for ever
 * @param records those of the new artifact; a new variable will own itself
 */
export function claimState(live: readonly StateVariable[], records: readonly StateRecord[]): Claim {
  const owners = new Map(live.map((variable) => [variable.name, variable]));
  const pointers: StatePointer[] = [];
  const differences: string[] = [];
  const seen = new Set<string>();
  for (const record of records) {
    const { name, pointerOffset } = record;
    if (seen.has(name)) return { kind: "ambiguous", name };
    seen.add(name);
    const owner = owners.get(name);
    if (owner === undefined) continue;
    const changed = (["type", "size", "align"] as const)
      .filter((what) => owner[what] !== record[what])
      .map((what) => `${what} ${owner[what]} -> ${record[what]}`);
    if (changed.length > 0) differences.push(`state ${name}: ${changed.join(", ")}`);
    pointers.push({ fileOffset: pointerOffset, address: BigInt(owner.address) });
  }
  return differences.length > 0 ? { kind: "changed", differences } : { kind: "fits", pointers };
}

/**
 * Variables in both builds whose text names a type with a changed layout, whatever their own sizes are.
 * @param before types of the live data
 */
export function changedTypesOfState(
  live: readonly StateVariable[],
  records: readonly StateRecord[],
  before: Types,
  after: Types,
): string[] {
  const names = new Set(records.map((record) => record.name));
  return live
    .filter((variable) => names.has(variable.name))
    .flatMap(({ name, type }) => changedTypes(before, after, type).map((change) => `state ${name}: ${change}`));
}

/** For each variable, what the first list that mentions it says: "state score: ...". */
export function firstTold(...lists: readonly (readonly string[])[]): string[] {
  const about = (text: string) => text.slice(0, text.indexOf(":"));
  const told: string[] = [];
  for (const list of lists) {
    const before = new Set(told.map(about));
    told.push(...list.filter((text) => !before.has(about(text))));
  }
  return told;
}

/**
 * Exported variables that the copy would share with generation 0 in spite of different sizes: its code would write past
 * the end of the live one.
 * @param providers who supplies each of `after` to generation 0, in its order; "none": every copy has its own
 */
export function grownExports(
  before: ReadonlyMap<string, ExportedVariable>,
  after: ReadonlyMap<string, ExportedVariable>,
  providers: readonly string[],
): string[] {
  return [...after]
    .map(([name, { size, unique }], i) => ({
      name,
      size,
      was: before.get(name)?.size ?? size,
      shared: unique || providers[i] !== "none",
    }))
    .filter(({ size, was, shared }) => size !== was && shared)
    .map(({ name, size, was }) => `exported variable ${name}: size ${was} -> ${size}`);
}
