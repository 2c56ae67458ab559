/**
 * Decides, per function and persistent variable, whether code built with one set of layouts may run on data laid out by
 * another. docs/layout.md lists what counts as a change and what is only a remark. Pure; must not know where layouts
 * come from.
 */
import { signatureText, type Types, typeText } from "./text.js";
import type { Known, Layouts, Signature } from "./type.js";
import { emptyOwn, type Own, type Pair, PairComparison, TOO_LARGE } from "./type-pair.js";

export type LayoutVerdict =
  /** `remarks`: differences that leave the data usable. */
  | { readonly kind: "same"; readonly remarks: readonly string[] }
  | {
      readonly kind: "changed";
      /** The signature itself changed, not only types reachable from it. */
      readonly signature: boolean;
      readonly changes: readonly string[];
      readonly remarks: readonly string[];
    }
  | { readonly kind: "unknown"; readonly reason: string };

/** More pairs of types than any two builds have; above it the answer is unknown. */
const MOST_PAIRS = 1_000_000;

/** Compares two builds; caches what it has compared. */
export class Comparison {
  readonly #before: Layouts;
  readonly #after: Layouts;
  readonly #pairs: PairComparison;
  readonly #owns = new Map<number, Own>();
  /** Pairs from which no difference is reachable. */
  readonly #clean = new Set<number>();

  constructor(before: Layouts, after: Layouts) {
    this.#before = before;
    this.#after = after;
    this.#pairs = new PairComparison(before.types, after.types);
  }

  /** @param name of a marked function that both builds have */
  function(name: string): LayoutVerdict {
    return this.#judge(this.#before.functions.get(name), this.#after.functions.get(name), (before, after) => {
      const text = (types: Types, signature: Signature) => signatureText(types, signature, "");
      const [was, is] = [text(this.#before.types, before), text(this.#after.types, after)];
      return this.#pairs.signatures(before, after, {
        change: `signature: ${was} -> ${is}`,
        remark: `signature: ${was} is now ${is}`,
      });
    });
  }

  /** @param name of a persistent variable that both builds have */
  state(name: string): LayoutVerdict {
    return this.#judge(this.#before.state.get(name), this.#after.state.get(name), (before, after) => {
      const [was, is] = [typeText(this.#before.types, before), typeText(this.#after.types, after)];
      return this.#pairs.variables(before, after, {
        change: `type ${was} -> ${is}`,
        remark: `type ${was} is now ${is}`,
      });
    });
  }

  #judge<T>(
    before: Known<T> | undefined,
    after: Known<T> | undefined,
    compare: (before: T, after: T) => Own,
  ): LayoutVerdict {
    if (before === undefined || !before.known)
      return { kind: "unknown", reason: `the running build: ${before?.reason ?? "not in it"}` };
    if (after === undefined || !after.known)
      return { kind: "unknown", reason: `the new build: ${after?.reason ?? "not in it"}` };
    return this.#verdict(compare(before.value, after.value));
  }

  #verdict(root: Own): LayoutVerdict {
    // Sets: a type that many units describe is reported once.
    const [changed, remarked] = [new Set<string>(), new Set<string>()];
    let unknown: string | null = null;
    const visited = this.#walk(root, (own) => {
      unknown ??= own.unknown;
      for (const text of own.changes) changed.add(text);
      for (const text of own.remarks) remarked.add(text);
      for (const { pair, change, remark } of own.renamed) {
        if (this.#differs(pair)) changed.add(change);
        else remarked.add(remark);
      }
    });
    const [changes, remarks] = [[...changed], [...remarked]];
    if (visited === null) return { kind: "unknown", reason: TOO_LARGE };
    if (changes.length > 0)
      return { kind: "changed", signature: root.changes.length > 0 || this.#rootRenamed(root), changes, remarks };
    if (unknown !== null) return { kind: "unknown", reason: unknown };
    if (remarks.length === 0) for (const key of visited) this.#clean.add(key);
    return { kind: "same", remarks };
  }

  #rootRenamed(root: Own): boolean {
    return root.renamed.some(({ pair }) => this.#differs(pair));
  }

  /** Whether anything reachable from a pair has changed, names aside. */
  #differs(pair: Pair): boolean {
    let found = false;
    const start = emptyOwn();
    start.next.push(pair);
    const visited = this.#walk(
      start,
      (own) => {
        if (own.changes.length > 0 || own.unknown !== null) found = true;
      },
      true,
    );
    return found || visited === null;
  }

  /**
   * Everything reachable from a pair's own comparison, each once.
   * @param through also follow renamed types: what they reach decides whether they changed
   * @returns the pairs; null when there are too many
   */
  #walk(root: Own, look: (own: Own) => void, through = false): Set<number> | null {
    const visited = new Set<number>();
    const queue: Own[] = [root];
    for (let own = queue.pop(); own !== undefined; own = queue.pop()) {
      look(own);
      for (const pair of through ? [...own.next, ...own.renamed.map((one) => one.pair)] : own.next) {
        const key = this.#key(pair);
        if (visited.has(key) || this.#clean.has(key)) continue;
        visited.add(key);
        if (visited.size > MOST_PAIRS) return null;
        queue.push(this.#own(pair));
      }
    }
    return visited;
  }

  #key = ({ before, after }: Pair): number => before * this.#after.types.length + after;

  #own(pair: Pair): Own {
    const key = this.#key(pair);
    let own = this.#owns.get(key);
    if (own === undefined) {
      own = this.#pairs.named(pair);
      this.#owns.set(key, own);
    }
    return own;
  }
}
