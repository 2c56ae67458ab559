/**
 * Owns what two types in one place say by themselves: what is different in them, and which pairs of records and enums they
 * lead to. Must not follow those: compare.ts does, each once. Pure.
 */
import { compareEnums } from "./enum.js";
import { compareStructs, passedByReference, type Words } from "./record.js";
import { type Types, typeText } from "./text.js";
import { type Signature, type TypeId, type TypeNode, VOID } from "./type.js";

/** int*** and the like: deeper than anybody writes. */
const DEEPEST = 64;
/** Counterparts of one type: more than any has. */
const MOST_PLACES = 100_000;
export const TOO_LARGE = "its types refer to each other in too many ways to compare";

export interface Pair {
  readonly before: TypeId;
  readonly after: TypeId;
}

/** The result for one pair of types by itself. */
export interface Own {
  readonly changes: string[];
  readonly remarks: string[];
  /** Why it cannot be compared. */
  unknown: string | null;
  /** What it leads to. */
  readonly next: Pair[];
  /** Differently named types in one place: another type if their layouts differ, otherwise a rename. */
  readonly renamed: { readonly pair: Pair; readonly change: string; readonly remark: string }[];
}

/** Where two types stand, and how a difference between them is told. */
interface Place {
  readonly own: Own;
  readonly pair: Pair;
  readonly words: Words;
  /** Types around them in the same place. */
  readonly depth: number;
}

type Kind = Exclude<TypeNode["kind"], "unknown">;
type NodeOf<K> = Extract<TypeNode, { readonly kind: K }>;
/** How two types of one kind are compared. */
type ByKind = { readonly [K in Kind]: (a: NodeOf<K>, b: NodeOf<K>, place: Place) => void };

/** Compares single pairs of two builds' types. */
export class PairComparison {
  readonly #before: Types;
  readonly #after: Types;
  readonly #byReference = { before: new Map<TypeId, boolean>(), after: new Map<TypeId, boolean>() };
  /** Of the pair being compared. */
  #places = 0;

  constructor(before: Types, after: Types) {
    this.#before = before;
    this.#after = after;
  }

  /** Two signatures of one function. */
  signatures(before: Signature, after: Signature, words: Words): Own {
    const own = this.#start();
    this.#compareSignatures(own, before, after, words, 0);
    return own;
  }

  /** The types of one variable. */
  variables(before: TypeId, after: TypeId, words: Words): Own {
    const own = this.#start();
    this.#compare(own, before, after, words, 0);
    return own;
  }

  /** Two enums, or two records. */
  named({ before, after }: Pair): Own {
    const own = this.#start();
    const [a, b] = [nodeOf(this.#before, before), nodeOf(this.#after, after)];
    if (a.kind === "enum" && b.kind === "enum") compareEnums(a, b, own);
    if (a.kind === "record" && b.kind === "record")
      compareStructs(
        a,
        b,
        this.#before,
        this.#after,
        { types: (x, y, words) => this.#compare(own, x, y, words, 0) },
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

  #start(): Own {
    this.#places = 0;
    return emptyOwn();
  }

  #compareSignatures(own: Own, before: Signature, after: Signature, words: Words, depth: number): void {
    const [a, b] = [before.parameters, after.parameters];
    if (a.length !== b.length || before.variadic !== after.variadic) return void own.changes.push(words.change);
    // One sentence names all differences in one signature.
    const inner = emptyOwn();
    const pairs = [[before.result, after.result] as const, ...a.map((one, i) => [one, b[i] ?? VOID] as const)];
    for (const [x, y] of pairs) {
      this.#compare(inner, x, y, words, depth);
      const [was, is] = [
        passedByReference(this.#before, x, this.#byReference.before),
        passedByReference(this.#after, y, this.#byReference.after),
      ];
      if (was === is) continue;
      const how = (reference: boolean) => `passed by ${reference ? "reference" : "value"}`;
      inner.changes.push(`${typeText(this.#after, y)}: ${how(was)} -> ${how(is)}`);
    }
    own.next.push(...inner.next);
    own.unknown ??= inner.unknown;
    own.changes.push(...new Set(inner.changes));
    own.remarks.push(...new Set(inner.remarks));
    own.renamed.push(...inner.renamed);
  }

  /** Two types in one place. Records and enums are queued for comparison; everything else is compared at once. */
  #compare(own: Own, before: TypeId, after: TypeId, words: Words, depth: number): void {
    if (depth > DEEPEST || ++this.#places > MOST_PLACES) {
      own.unknown ??= TOO_LARGE;
      return;
    }
    const [a, b] = [nodeOf(this.#before, before), nodeOf(this.#after, after)];
    const unknown = whyUnknown(a, b);
    if (unknown !== null) own.unknown ??= unknown;
    else if (a.kind !== b.kind) own.changes.push(words.change);
    else this.#compareAlike(a, b, { own, pair: { before, after }, words, depth });
  }

  /** @param a and `b` are of one kind, and known */
  #compareAlike(a: TypeNode, b: TypeNode, place: Place): void {
    const compare = this.#byKind[a.kind as Kind] as (a: TypeNode, b: TypeNode, place: Place) => void;
    compare(a, b, place);
  }

  #inside({ own, words, depth }: Place, before: TypeId, after: TypeId): void {
    this.#compare(own, before, after, words, depth + 1);
  }

  readonly #byKind: ByKind = {
    void: () => {},
    base: (a, b, place) => {
      if (a.size !== b.size || a.encoding !== b.encoding) change(place);
      else if (a.name !== b.name) remark(place);
    },
    pointer: (a, b, place) => {
      if (a.mark !== b.mark) remark(place);
      this.#inside(place, a.to, b.to);
    },
    "member pointer": (a, b, place) => {
      this.#inside(place, a.of, b.of);
      this.#inside(place, a.to, b.to);
    },
    array: (a, b, place) => {
      if (a.vector !== b.vector || a.counts.join() !== b.counts.join()) change(place);
      else this.#inside(place, a.of, b.of);
    },
    function: (a, b, { own, words, depth }) => this.#compareSignatures(own, a.signature, b.signature, words, depth + 1),
    atomic: (a, b, place) => this.#inside(place, a.of, b.of),
    opaque: compareNames,
    named: compareNames,
    enum: leadOn,
    record: leadOn,
  };
}

export const emptyOwn = (): Own => ({ changes: [], remarks: [], unknown: null, next: [], renamed: [] });

const change = ({ own, words }: Place) => void own.changes.push(words.change);
const remark = ({ own, words }: Place) => void own.remarks.push(words.remark);

type Named = { readonly name: string | null };

/** Types of which a name is all that is known. */
function compareNames(a: Named, b: Named, place: Place): void {
  if (a.name !== b.name) change(place);
}

/** Records and enums: what is in them is another pair's. */
function leadOn(a: Named, b: Named, { own, pair, words }: Place): void {
  if (a.name === b.name) own.next.push(pair);
  else own.renamed.push({ pair, ...words });
}

/** Why nothing can be said of two types; null when they can be compared. */
function whyUnknown(a: TypeNode, b: TypeNode): string | null {
  if (a.kind === "unknown") return a.reason;
  if (b.kind === "unknown") return b.reason;
  const [was, is] = [textOf(a), textOf(b)];
  if (a.kind === "opaque" && isNamed(b) && was === is) return `${was} is only declared in the running build`;
  if (b.kind === "opaque" && isNamed(a) && was === is) return `${is} is only declared in the new build`;
  return null;
}

const nodeOf = (types: Types, id: TypeId): TypeNode => types[id] ?? { kind: "void" };
const isNamed = (node: TypeNode): boolean => node.kind === "record" || node.kind === "enum";
const textOf = (node: TypeNode): string => ("name" in node ? (node.name ?? "") : "");

/** `struct Inner`, or `struct Old -> New`. */
function titleOf(a: TypeNode, b: TypeNode): string {
  const tag = a.kind === "record" ? a.tag : a.kind;
  const [was, is] = [textOf(a), textOf(b)].map((name) => (name === "" ? "(anonymous)" : name));
  return was === is ? `${tag} ${was}` : `${tag} ${was} -> ${is}`;
}
