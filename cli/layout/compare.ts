/**
 * Decides, per function and persistent variable, whether code built with one set of layouts may run on data laid out by
 * another. docs/layout.md lists what counts as a change and what is only a remark. Pure; must not know where layouts
 * come from.
 */
import { compareRecords, passedByReference, type Words } from "./record.js";
import { signatureText, type Types, typeText } from "./text.js";
import { type EnumType, type Known, type Layouts, type Signature, type TypeId, type TypeNode, VOID } from "./type.js";

export type Verdict =
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
/** int*** and the like: deeper than anybody writes. */
const DEEPEST = 64;
/** Counterparts of one type: more than any has. */
const MOST_PLACES = 100_000;
const TOO_LARGE = "its types refer to each other in too many ways to compare";

interface Pair {
  readonly before: TypeId;
  readonly after: TypeId;
}

/** The result for one pair of types by itself. */
interface Own {
  readonly changes: string[];
  readonly remarks: string[];
  /** Why it cannot be compared. */
  unknown: string | null;
  /** The pairs it refers to. */
  readonly next: Pair[];
  /** Differently named types in one place: another type if their layouts differ, otherwise a rename. */
  readonly renamed: { readonly pair: Pair; readonly change: string; readonly remark: string }[];
}

/** Compares two builds; caches what it has compared. */
export class Comparison {
  readonly #before: Layouts;
  readonly #after: Layouts;
  readonly #owns = new Map<number, Own>();
  /** Pairs from which no difference is reachable. */
  readonly #clean = new Set<number>();
  readonly #byReference = { before: new Map<TypeId, boolean>(), after: new Map<TypeId, boolean>() };
  /** Of the pair being compared. */
  #places = 0;

  constructor(before: Layouts, after: Layouts) {
    this.#before = before;
    this.#after = after;
  }

  /** @param name of a marked function that both builds have */
  function(name: string): Verdict {
    return this.#judge(this.#before.functions.get(name), this.#after.functions.get(name), (own, before, after) => {
      const text = (types: Types, signature: Signature) => signatureText(types, signature, "");
      const [was, is] = [text(this.#before.types, before), text(this.#after.types, after)];
      this.#signatures(own, before, after, {
        change: `signature: ${was} -> ${is}`,
        remark: `signature: ${was} is now ${is}`,
      });
    });
  }

  /** @param name of a persistent variable that both builds have */
  state(name: string): Verdict {
    return this.#judge(this.#before.state.get(name), this.#after.state.get(name), (own, before, after) => {
      const [was, is] = [typeText(this.#before.types, before), typeText(this.#after.types, after)];
      this.#types(own, before, after, { change: `type ${was} -> ${is}`, remark: `type ${was} is now ${is}` });
    });
  }

  #judge<T>(
    before: Known<T> | undefined,
    after: Known<T> | undefined,
    compare: (own: Own, before: T, after: T) => void,
  ): Verdict {
    if (before === undefined || !before.known)
      return { kind: "unknown", reason: `the running build: ${before?.reason ?? "not in it"}` };
    if (after === undefined || !after.known)
      return { kind: "unknown", reason: `the new build: ${after?.reason ?? "not in it"}` };
    const root = emptyOwn();
    this.#places = 0;
    compare(root, before.value, after.value);
    return this.#verdict(root);
  }

  #verdict(root: Own): Verdict {
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
      own = this.#compareNamed(pair);
      this.#owns.set(key, own);
    }
    return own;
  }

  /** Two enums, or two records. */
  #compareNamed({ before, after }: Pair): Own {
    const own = emptyOwn();
    this.#places = 0;
    const [a, b] = [this.#node("before", before), this.#node("after", after)];
    if (a.kind === "enum" && b.kind === "enum") compareEnums(a, b, own);
    if (a.kind === "record" && b.kind === "record")
      compareRecords(
        a,
        b,
        this.#before.types,
        this.#after.types,
        { types: (x, y, words) => this.#types(own, x, y, words) },
        own,
      );
    const title = titleOf(a, b);
    const told = (texts: readonly string[]) =>
      texts.length === 0 ? [] : [`${title}: ${[...new Set(texts)].join("; ")}`];
    return {
      ...own,
      changes: told(own.changes),
      remarks: told(own.remarks),
      renamed: own.renamed.map(({ pair, change, remark }) => ({
        pair,
        change: `${title}: ${change}`,
        remark: `${title}: ${remark}`,
      })),
    };
  }

  #node(side: "before" | "after", id: TypeId): TypeNode {
    return (side === "before" ? this.#before : this.#after).types[id] ?? { kind: "void" };
  }

  #signatures(own: Own, before: Signature, after: Signature, words: Words, depth = 0): void {
    const [a, b] = [before.parameters, after.parameters];
    if (a.length !== b.length || before.variadic !== after.variadic) return void own.changes.push(words.change);
    // One sentence names all differences in one signature.
    const inner = emptyOwn();
    const pairs = [[before.result, after.result] as const, ...a.map((one, i) => [one, b[i] ?? VOID] as const)];
    for (const [x, y] of pairs) {
      this.#types(inner, x, y, words, depth);
      const [was, is] = [
        passedByReference(this.#before.types, x, this.#byReference.before),
        passedByReference(this.#after.types, y, this.#byReference.after),
      ];
      if (was === is) continue;
      const how = (reference: boolean) => `passed by ${reference ? "reference" : "value"}`;
      inner.changes.push(`${typeText(this.#after.types, y)}: ${how(was)} -> ${how(is)}`);
    }
    own.next.push(...inner.next);
    own.unknown ??= inner.unknown;
    own.changes.push(...new Set(inner.changes));
    own.remarks.push(...new Set(inner.remarks));
    own.renamed.push(...inner.renamed);
  }

  /** Two types in one place. Records and enums are queued for comparison; everything else is compared at once. */
  #types(own: Own, before: TypeId, after: TypeId, words: Words, depth = 0): void {
    if (depth > DEEPEST || ++this.#places > MOST_PLACES) {
      own.unknown ??= TOO_LARGE;
      return;
    }
    const [a, b] = [this.#node("before", before), this.#node("after", after)];
    for (const node of [a, b]) if (node.kind === "unknown") own.unknown ??= node.reason;
    if (a.kind === "unknown" || b.kind === "unknown") return;
    if ((a.kind === "opaque" && isNamed(b)) || (b.kind === "opaque" && isNamed(a))) {
      if (textOf(a) !== textOf(b)) own.changes.push(words.change);
      else
        own.unknown ??= `${textOf(a)} is only declared in ${a.kind === "opaque" ? "the running build" : "the new build"}`;
      return;
    }
    if (a.kind !== b.kind) return void own.changes.push(words.change);
    const differ = (really: boolean) => (really ? own.changes.push(words.change) : own.remarks.push(words.remark));
    switch (a.kind) {
      case "void":
        return;
      case "base": {
        const other = b as typeof a;
        if (a.size !== other.size || a.encoding !== other.encoding) differ(true);
        else if (a.name !== other.name) differ(false);
        return;
      }
      case "pointer": {
        const other = b as typeof a;
        if (a.mark !== other.mark) differ(false);
        return this.#types(own, a.to, other.to, words, depth + 1);
      }
      case "member pointer": {
        const other = b as typeof a;
        this.#types(own, a.of, other.of, words, depth + 1);
        return this.#types(own, a.to, other.to, words, depth + 1);
      }
      case "array": {
        const other = b as typeof a;
        if (a.vector !== other.vector || a.counts.join() !== other.counts.join()) return void differ(true);
        return this.#types(own, a.of, other.of, words, depth + 1);
      }
      case "function":
        return this.#signatures(own, a.signature, (b as typeof a).signature, words, depth + 1);
      case "atomic":
        return this.#types(own, a.of, (b as typeof a).of, words, depth + 1);
      case "opaque":
      case "named":
        if (a.name !== (b as typeof a).name) differ(true);
        return;
      case "enum":
      case "record": {
        const pair = { before, after };
        if (a.name === (b as typeof a).name) own.next.push(pair);
        else own.renamed.push({ pair, ...words });
        return;
      }
    }
  }
}

const emptyOwn = (): Own => ({ changes: [], remarks: [], unknown: null, next: [], renamed: [] });

const isNamed = (node: TypeNode): boolean => node.kind === "record" || node.kind === "enum";
const textOf = (node: TypeNode): string => ("name" in node ? (node.name ?? "") : "");

/** `struct Inner`, or `struct Old -> New`. */
function titleOf(a: TypeNode, b: TypeNode): string {
  const tag = a.kind === "record" ? a.tag : a.kind;
  const [was, is] = [textOf(a), textOf(b)].map((name) => (name === "" ? "(anonymous)" : name));
  return was === is ? `${tag} ${was}` : `${tag} ${was} -> ${is}`;
}

function compareEnums(a: EnumType, b: EnumType, { changes, remarks }: Own): void {
  if (a.size !== b.size) changes.push(`size ${a.size} -> ${b.size}`);
  else if (a.signed !== b.signed && a.signed !== null && b.signed !== null)
    changes.push(`${sign(a.signed)} -> ${sign(b.signed)}`);
  // A value that is no longer a constant is undefined behaviour in Rust; in C and C++ it is merely unexpected.
  const lost = a.closed || b.closed ? changes : remarks;
  for (const [name, value] of a.constants) {
    const now = b.constants.get(name);
    if (now === undefined) lost.push(`${name} = ${value} removed`);
    else if (now !== value) lost.push(`${name} = ${value} -> ${now}`);
  }
  for (const [name, value] of b.constants) if (!a.constants.has(name)) remarks.push(`${name} = ${value} added`);
}

const sign = (signed: boolean): string => (signed ? "signed" : "unsigned");
