/**
 * Owns what two types in one place say by themselves: what is different in them, what cannot be told, and which pairs of
 * records and enums they lead to. Must not follow those: compare.ts does, each once. Pure.
 */
import { isByte } from "./arguments.js";
import { compareEnums } from "./enum.js";
import type { Inside, Words } from "./inside.js";
import { isImplementation, traitOf, withoutArguments } from "./names.js";
import { compareStructs, passedByReference } from "./record.js";
import { nodeOf, type Types, typeText } from "./text.js";
import { type Layouts, type Signature, type TypeId, type TypeNode, VOID } from "./type.js";

/** int*** and the like: deeper than anybody writes. */
const DEEPEST = 64;
/** Counterparts of one type: more than any has. */
const MOST_PLACES = 100_000;
export const TOO_LARGE = "its types refer to each other in too many ways to compare";

const WIDE = "whether its vectors are passed in registers is the business of attributes that are not described";

export interface Pair {
  readonly before: TypeId;
  readonly after: TypeId;
}

/** The result for one pair of types by itself. */
export interface Own {
  readonly changes: string[];
  readonly remarks: string[];
  /** What nobody can tell from what is described. */
  readonly unseen: string[];
  /** Where types are left behind that are described elsewhere: `void *next`. Harmless where nothing has changed. */
  readonly blind: string[];
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
  readonly #traits: { readonly before: Layouts["traits"]; readonly after: Layouts["traits"] };
  readonly #byReference = { before: new Map<TypeId, boolean>(), after: new Map<TypeId, boolean>() };
  /** Of the pair being compared. */
  #places = 0;

  constructor(before: Layouts, after: Layouts) {
    this.#before = before.types;
    this.#after = after.types;
    this.#traits = { before: before.traits, after: after.traits };
  }

  /**
   * Two signatures of one function.
   * @param byName whether the function's name encodes the types of its arguments: both builds have the same ones
   */
  signatures(before: Signature, after: Signature, words: Words, byName: boolean): Own {
    const own = this.#start();
    const alike = byName ? this.#withoutDropped(before, after, own) : { before, after };
    this.#compareSignatures(own, alike.before, alike.after, words, 0);
    if (before.wide && after.wide && before.convention === after.convention) own.unseen.push(WIDE);
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
    if (a.kind === "record" && b.kind === "record") {
      compareStructs(a, b, this.#insideOf(own));
      if (a.rust && a.name !== null) this.#compareTraits(a.name, own);
    }
    const title = titleOf(a, b);
    const told = (texts: readonly string[]) =>
      texts.length === 0 ? [] : [`${title}: ${[...new Set(texts)].join("; ")}`];
    return {
      ...own,
      changes: told(own.changes),
      remarks: told(own.remarks),
      unseen: [...new Set(own.unseen)],
      blind: [...new Set(own.blind)].map((one) => `${one} of ${title}`),
      renamed: own.renamed.map(({ pair, change, remark }) => ({
        pair,
        change: `${title}: ${change}`,
        remark: `${title}: ${remark}`,
      })),
    };
  }

  /** What is behind `dyn`: its methods are called by their numbers. */
  #compareTraits(name: string, own: Own): void {
    const trait = traitOf(name);
    if (trait === null || isImplementation(trait)) return;
    const [was, is] = [this.#traits.before.get(trait), this.#traits.after.get(trait)];
    if (was === undefined || is === undefined) own.unseen.push(`the order of ${trait}'s methods is not described`);
    else if (was.join() !== is.join()) own.changes.push(`methods ${was.join(", ")} -> ${is.join(", ")}`);
  }

  #insideOf(own: Own): Inside {
    const types: Inside["types"] = (x, y, words) => this.#compare(own, x, y, words, 0);
    return { before: this.#before, after: this.#after, found: own, types };
  }

  #start(): Own {
    this.#places = 0;
    return emptyOwn();
  }

  /**
   * clang does not describe an unused argument that is passed by value, in some builds: what only one build describes is
   * left out on both sides.
   */
  #withoutDropped(before: Signature, after: Signature, own: Own): { before: Signature; after: Signature } {
    const [a, b] = [before.parameters, after.parameters];
    if (a.length === b.length) return { before, after };
    const [fewer, more, fewerTypes, moreTypes] =
      a.length < b.length ? [a, b, this.#before, this.#after] : [b, a, this.#after, this.#before];
    let at = 0;
    const kept = more.filter((one) => {
      const text = typeText(moreTypes, one);
      const isKept = at < fewer.length && typeText(fewerTypes, fewer[at] ?? VOID) === text;
      if (isKept) at += 1;
      else own.unseen.push(`argument ${text} is described in one of the builds only`);
      return isKept;
    });
    if (kept.length !== fewer.length) return { before, after };
    return a.length < b.length
      ? { before, after: { ...after, parameters: kept } }
      : { before: { ...before, parameters: kept }, after };
  }

  #compareSignatures(own: Own, before: Signature, after: Signature, words: Words, depth: number): void {
    const [a, b] = [before.parameters, after.parameters];
    if (a.length !== b.length || before.variadic !== after.variadic) return void own.changes.push(words.change);
    if (before.convention !== after.convention)
      own.changes.push(`${words.at}: ${conventionText(before.convention)} -> ${conventionText(after.convention)}`);
    // One sentence names all differences in one signature.
    const inner = emptyOwn();
    this.#compareParts(inner, before.result, after.result, { ...words, at: "result" }, depth);
    a.forEach((one, i) => {
      this.#compareParts(inner, one, b[i] ?? VOID, { ...words, at: `argument ${i + 1}` }, depth);
    });
    own.next.push(...inner.next);
    for (const list of ["changes", "remarks", "unseen", "blind"] as const) own[list].push(...new Set(inner[list]));
    own.renamed.push(...inner.renamed);
  }

  /** A result, or an argument. */
  #compareParts(own: Own, x: TypeId, y: TypeId, words: Words, depth: number): void {
    this.#compare(own, x, y, words, depth);
    if (nodeOf(this.#before, x).kind !== nodeOf(this.#after, y).kind) return;
    const [was, is] = [
      passedByReference(this.#before, x, this.#byReference.before),
      passedByReference(this.#after, y, this.#byReference.after),
    ];
    if (was === is) return;
    const how = (reference: boolean) => `passed by ${reference ? "reference" : "value"}`;
    own.changes.push(`${typeText(this.#after, y)}: ${how(was)} -> ${how(is)}`);
  }

  /** Two types in one place. Records and enums are queued for comparison; everything else is compared at once. */
  #compare(own: Own, before: TypeId, after: TypeId, words: Words, depth: number): void {
    if (depth > DEEPEST || ++this.#places > MOST_PLACES) return void own.unseen.push(TOO_LARGE);
    const [a, b] = [nodeOf(this.#before, before), nodeOf(this.#after, after)];
    const unseen = whyUnseen(a, b);
    if (unseen !== null) own.unseen.push(unseen);
    else if (a.kind === b.kind) this.#compareAlike(a, b, { own, pair: { before, after }, words, depth });
    else this.#compareUnlike(a, b, { own, pair: { before, after }, words, depth });
  }

  /** In Rust a struct with one field stands for the field: wrapping it, or not, changes no byte. */
  #compareUnlike(a: TypeNode, b: TypeNode, place: Place): void {
    const { pair, own, words, depth } = place;
    const [wrapped, isWrapped] = [onlyField(a, this.#before), onlyField(b, this.#after)];
    if (wrapped === null && isWrapped === null) return change(place);
    remark(place);
    this.#compare(own, wrapped ?? pair.before, isWrapped ?? pair.after, words, depth + 1);
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
      if (a.size !== b.size || a.encoding !== b.encoding || a.order !== b.order || formatOf(a) !== formatOf(b))
        change(place);
      else if (a.name !== b.name) remark(place);
    },
    pointer: (a, b, place) => {
      if (a.mark !== b.mark) remark(place);
      if (a.convention !== b.convention)
        place.own.changes.push(`${place.words.at}: ${conventionText(a.convention)} -> ${conventionText(b.convention)}`);
      const [to, now] = [nodeOf(this.#before, a.to), nodeOf(this.#after, b.to)];
      if (to.kind === "void" && now.kind === "void") place.own.blind.push(`void * (${place.words.at})`);
      else this.#inside(place, a.to, b.to);
    },
    "member pointer": (a, b, place) => {
      this.#inside(place, a.of, b.of);
      this.#inside(place, a.to, b.to);
    },
    array: (a, b, place) => {
      if (a.vector !== b.vector || countsOf(a) !== countsOf(b)) return change(place);
      if (isByte(nodeOf(this.#before, a.of)) && isByte(nodeOf(this.#after, b.of)))
        place.own.blind.push(`bytes (${place.words.at})`);
      this.#inside(place, a.of, b.of);
    },
    function: (a, b, { own, words, depth }) => this.#compareSignatures(own, a.signature, b.signature, words, depth + 1),
    atomic: (a, b, place) => this.#inside(place, a.of, b.of),
    opaque: (a, b, place) => {
      if (a.name !== b.name) return change(place);
      const cure = a.hidden ?? b.hidden;
      // The implementation's own types are what the compiler's version and the program's types make them.
      const isMade =
        isImplementation(a.name) && a.compiler === b.compiler && a.madeWith !== null && b.madeWith !== null;
      if (isMade) {
        for (const [i, one] of (a.madeWith ?? []).entries()) this.#inside(place, one, b.madeWith?.[i] ?? VOID);
      } else if (cure !== null) place.own.unseen.push(`${a.name} is only declared here: ${cure}`);
    },
    named: compareNames,
    enum: leadOn,
    record: leadOn,
  };
}

export const emptyOwn = (): Own => ({ changes: [], remarks: [], unseen: [], blind: [], next: [], renamed: [] });

const change = ({ own, words }: Place) => void own.changes.push(words.change);
const remark = ({ own, words }: Place) => void own.remarks.push(words.remark);

type Named = { readonly name: string | null };

/** Types of which a name is all that is known. */
function compareNames(a: Named, b: Named, place: Place): void {
  if (a.name !== b.name) change(place);
}

/** Records and enums: what is in them is another pair's. */
function leadOn(a: Named, b: Named, place: Place): void {
  const { own, pair, words } = place;
  if (a.name === b.name) own.next.push(pair);
  else if (isSubstituted(a.name, b.name)) change(place);
  else own.renamed.push({ pair, ...words });
}

/** Nobody renames the implementation's types: another name is another type, whatever its layout. */
function isSubstituted(before: string | null, after: string | null): boolean {
  if (before === null || after === null) return false;
  // Of `dyn Fn(i32)` there is nothing but the name.
  if (traitOf(before) !== null || traitOf(after) !== null) return true;
  if (withoutArguments(before) === withoutArguments(after)) return false;
  return isImplementation(before) || isImplementation(after);
}

/** 16 bytes of floating point are one of several formats, which DWARF tells apart by name only; so are 2. */
const formatOf = ({ name, size, encoding }: NodeOf<"base">): string =>
  encoding === FLOAT && (size === 16 || size === 2) ? name.replace(/^__float128$/, "_Float128") : "";
/** Source: DWARF 5 section 7.8: DW_ATE_float. */
const FLOAT = 4;

/** `int d[]` and `int d[0]` are one type. */
const countsOf = ({ counts }: NodeOf<"array">): string => counts.map((count) => count ?? 0).join();

const conventionText = (convention: string): string => (convention === "" ? "the platform's calls" : convention);

/** The one field that a Rust struct consists of; null for any other type. */
function onlyField(node: TypeNode, types: Types): TypeId | null {
  if (node.kind !== "record" || !node.rust || node.variants !== null || node.tag === "union") return null;
  const sized = node.fields.filter(({ type }) => !isZeroSized(types[type]));
  const [field] = sized;
  return field !== undefined && sized.length === 1 && field.bit === 0 ? field.type : null;
}

const isZeroSized = (node: TypeNode | undefined): boolean =>
  (node?.kind === "record" && node.size === 0) || (node?.kind === "array" && node.counts.some((count) => count === 0));

/** Why nothing can be said of two types; null when they can be compared. */
function whyUnseen(a: TypeNode, b: TypeNode): string | null {
  if (a.kind === "unknown") return a.reason;
  if (b.kind === "unknown") return b.reason;
  const [was, is] = [textOf(a), textOf(b)];
  if (a.kind === "opaque" && isNamed(b) && was === is) return `${was} is only declared in the running build`;
  if (b.kind === "opaque" && isNamed(a) && was === is) return `${is} is only declared in the new build`;
  return null;
}

const isNamed = (node: TypeNode): boolean => node.kind === "record" || node.kind === "enum";
const textOf = (node: TypeNode): string => ("name" in node ? (node.name ?? "") : "");

/** `struct Inner`, or `struct Old -> New`. */
function titleOf(a: TypeNode, b: TypeNode): string {
  const tag = a.kind === "record" ? a.tag : a.kind;
  const [was, is] = [textOf(a), textOf(b)].map((name) => (name === "" ? "(anonymous)" : name));
  return was === is ? `${tag} ${was}` : `${tag} ${was} -> ${is}`;
}
