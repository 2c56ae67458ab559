/**
 * Names that shared one entry and no longer do. A call through the shared entry cannot tell which of them it
 * means, so it would reach the wrong function. Pure.
 */
import type { RefusedMark } from "../../schemas/agent.js";
import type { Code } from "../steps/compare.js";

/** Function -> address of its entry. */
export type Entries = ReadonlyMap<string, number>;

/** Names of one entry: aliases, folded functions. */
export type Alias = readonly string[];

/**
 * The variants of a constructor or destructor are one function to the language; whether they share is up to the
 * compiler.
 */
const STRUCTOR = /[CD][0-9](?:I|E|Ev|B)/;

export function aliasesOf(entries: Entries): Alias[] {
  const byAddress = new Map<number, string[]>();
  for (const [name, address] of entries) byAddress.set(address, [...(byAddress.get(address) ?? []), name]);
  return [...byAddress.values()].filter((names) => names.length > 1 && !names.every((name) => STRUCTOR.test(name)));
}

/**
 * @param aliases those of earlier generations
 * @param after entries of the new build
 * @param code of the new build: separate functions with the same code are harmless
 */
export function partedAliases(aliases: readonly Alias[], after: Entries, code: Code): RefusedMark[] {
  return aliases.flatMap((names) => {
    const still = names.filter((name) => after.has(name));
    const places = new Set(still.map((name) => after.get(name)));
    const bodies = new Set(still.map((name) => code.get(name)));
    if (places.size < 2 || bodies.size < 2) return [];
    const reason = `${still.join(" and ")} were one function in an earlier generation: their callers cannot be told apart`;
    return still.map((name) => ({ name, code: "ambiguous-name" as const, reason }));
  });
}
