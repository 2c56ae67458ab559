/**
 * Decides, per function and persistent variable, whether code built with one set of layouts may run on data laid out by
 * another. docs/layout.md lists what counts as a change and what is only a remark. Pure; must not know where layouts
 * come from.
 */
import { signatureText, type Types, typeText } from "./text.js";
import type { Known, Layouts, Signature, TypeId } from "./type.js";
import { emptyOwn, type Own, type Pair, PairComparison, TOO_LARGE } from "./type-pair.js";

export type LayoutVerdict =
  | {
      readonly kind: "same";
      /** Differences that leave the data usable. */
      readonly remarks: readonly string[];
      /** What was reached and is not described: it may be the same or not. */
      readonly unseen: readonly string[];
      /** Ways to types that no description names, some of them: `void *`, bytes. Nothing, where no type has changed. */
      readonly blind: readonly string[];
    }
  | {
      readonly kind: "changed";
      /** The signature itself changed, not only types reachable from it. */
      readonly signature: boolean;
      readonly changes: readonly string[];
      readonly remarks: readonly string[];
    }
  | { readonly kind: "unknown"; readonly reason: string };

/** Everything that is reachable from one pair of types. Each text once: many units describe the same type. */
interface Reached {
  readonly changes: readonly string[];
  readonly remarks: readonly string[];
  readonly unseen: readonly string[];
  readonly blind: readonly string[];
}

/** More pairs of types than any two builds have. */
const MOST_PAIRS = 1_000_000;
/** Ways that are named. */
const MOST_BLIND = 3;

/** Compares two builds; caches what it has compared. */
export class Comparison {
  readonly #before: Layouts;
  readonly #after: Layouts;
  readonly #pairs: PairComparison;
  readonly #owns = new Map<number, Own>();
  /** What is reachable from the pairs that functions and variables lead to. */
  readonly #reached = new Map<number, Reached>();
  readonly #differing = new Map<number, boolean>();
  /** By both units' lists: a new source file may unite several old ones. */
  readonly #around = new Map<readonly TypeId[], Map<readonly TypeId[], readonly string[]>>();

  constructor(before: Layouts, after: Layouts) {
    this.#before = before;
    this.#after = after;
    this.#pairs = new PairComparison(before, after);
  }

  /** @param name of a marked function that both builds have */
  function(name: string): LayoutVerdict {
    return this.#judge(this.#before.functions.get(name), this.#after.functions.get(name), (before, after) => {
      const text = (types: Types, signature: Signature) => signatureText(types, signature, "");
      const [was, is] = [text(this.#before.types, before), text(this.#after.types, after)];
      const words = {
        change: `signature: ${was} -> ${is}`,
        remark: `signature: ${was} is now ${is}`,
        at: "the function",
      };
      return this.#pairs.signatures(before, after, words, name.startsWith("_Z"));
    });
  }

  /** @param name of a persistent variable that both builds have */
  state(name: string): LayoutVerdict {
    return this.#judge(this.#before.state.get(name), this.#after.state.get(name), (before, after) => {
      const [was, is] = [typeText(this.#before.types, before), typeText(this.#after.types, after)];
      const words = { change: `type ${was} -> ${is}`, remark: `type ${was} is now ${is}`, at: "the variable" };
      return this.#pairs.variables(before, after, words);
    });
  }

  /**
   * Named types of a function's unit that differ in themselves, as `struct Item`: its code may use them. Null if that is not
   * known any more.
   */
  around(name: string): readonly string[] | null {
    const [before, after] = [this.#before.around(name), this.#after.around(name)];
    if (before === null || after === null) return null;
    const known = this.#around.get(after) ?? new Map<readonly TypeId[], readonly string[]>();
    this.#around.set(after, known);
    const changed = known.get(before) ?? this.#changedIn(before, after);
    known.set(before, changed);
    return changed;
  }

  /** Whether a function's new code uses nothing but its arguments. */
  isAlone(name: string): boolean {
    return this.#after.isAlone(name);
  }

  #changedIn(before: readonly TypeId[], after: readonly TypeId[]): string[] {
    const old = byName(this.#before.types, before);
    const changed = [...byName(this.#after.types, after)].flatMap(([name, ids]) =>
      ids.map((id, i) => {
        // What the file did not use before may have been in use elsewhere.
        const was = old.has(name) ? old.get(name)?.[i] : (this.#before.named(name) ?? undefined);
        const { changes, renamed } = was === undefined ? emptyOwn() : this.#own({ before: was, after: id });
        const texts = [...changes, ...renamed.filter((one) => this.#differs(one.pair)).map((one) => one.change)];
        return texts[0]?.slice(0, texts[0].indexOf(": "));
      }),
    );
    return [...new Set(changed.filter((text) => text !== undefined))];
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
    const own = this.#withRenames(root);
    const { changes, remarks, unseen, blind } = united([own, ...root.next.map((pair) => this.#from(pair))]);
    if (changes.length > 0) return { kind: "changed", signature: own.changes.length > 0, changes, remarks };
    return { kind: "same", remarks, unseen, blind };
  }

  /** Everything reachable from a pair. */
  #from(pair: Pair): Reached {
    const key = keyOf(pair);
    let reached = this.#reached.get(key);
    if (reached === undefined) {
      const all: Reached[] = [];
      const whole = this.#walk(leadingTo(pair), (own) => all.push(this.#withRenames(own)));
      reached = united(all);
      if (!whole) reached = { ...reached, unseen: [...reached.unseen, TOO_LARGE] };
      this.#reached.set(key, reached);
    }
    return reached;
  }

  /** What a pair says itself, once it is known which of its types were only renamed. */
  #withRenames({ changes, remarks, unseen, blind, renamed }: Own): Reached {
    if (renamed.length === 0) return { changes, remarks, unseen, blind };
    const told = { changes: [...changes], remarks: [...remarks] };
    for (const { pair, change, remark } of renamed) {
      if (this.#differs(pair)) told.changes.push(change);
      else told.remarks.push(remark);
    }
    return { ...told, unseen, blind };
  }

  /** Whether anything reachable from a pair has changed, names aside. */
  #differs(pair: Pair): boolean {
    const key = keyOf(pair);
    let differs = this.#differing.get(key);
    if (differs === undefined) {
      let found = false;
      const whole = this.#walk(
        leadingTo(pair),
        (own) => {
          if (own.changes.length > 0) found = true;
        },
        true,
      );
      differs = found || !whole;
      this.#differing.set(key, differs);
    }
    return differs;
  }

  /**
   * Everything reachable from a pair's own comparison, each once.
   * @param through also follow renamed types: what they reach decides whether they changed
   * @returns false when there are too many
   */
  #walk(root: Own, look: (own: Own) => unknown, through = false): boolean {
    const visited = new Set<number>();
    const queue: Own[] = [root];
    for (let own = queue.pop(); own !== undefined; own = queue.pop()) {
      look(own);
      for (const pair of through ? [...own.next, ...own.renamed.map((one) => one.pair)] : own.next) {
        const key = keyOf(pair);
        if (visited.has(key)) continue;
        visited.add(key);
        if (visited.size > MOST_PAIRS) return false;
        queue.push(this.#own(pair));
      }
    }
    return true;
  }

  #own(pair: Pair): Own {
    const key = keyOf(pair);
    let own = this.#owns.get(key);
    if (own === undefined) {
      own = this.#pairs.named(pair);
      this.#owns.set(key, own);
    }
    return own;
  }
}

/** Types with a name: local ones of several functions may share it, and are told apart by their order. */
function byName(types: Types, ids: readonly TypeId[]): Map<string, TypeId[]> {
  const found = new Map<string, TypeId[]>();
  for (const id of ids) {
    const node = types[id];
    const name = node !== undefined && "name" in node ? node.name : null;
    if (name !== null) found.set(name, [...(found.get(name) ?? []), id]);
  }
  return found;
}

function leadingTo(pair: Pair): Own {
  const own = emptyOwn();
  own.next.push(pair);
  return own;
}

function united(all: readonly Reached[]): Reached {
  const every = (list: keyof Reached) => [...new Set(all.flatMap((one) => one[list]))];
  return {
    changes: every("changes"),
    remarks: every("remarks"),
    unseen: every("unseen"),
    blind: every("blind").slice(0, MOST_BLIND),
  };
}

/** There are fewer types than that, and the product is an exact number. */
const STRIDE = 2 ** 26;
const keyOf = ({ before, after }: Pair): number => before * STRIDE + after;
