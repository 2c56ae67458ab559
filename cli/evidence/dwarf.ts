/** Judges functions and persistent variables by the debug information of both builds. Pure. */
import { Comparison, type LayoutVerdict } from "../layout/compare.js";
import type { Layouts } from "../layout/type.js";
import type { StateVerdict, Verdict, Verdicts } from "./verdict.js";

/** Compares the running bodies, which may come from different generations, with one new build. */
export class LayoutEvidence {
  readonly #after: Layouts;
  readonly #comparisons = new Map<Layouts, Comparison>();

  constructor(after: Layouts) {
    this.#after = after;
  }

  /**
   * @param names of functions that both sides have
   * @param before the layouts that a function's running body was built with; null if unknown
   * @param sameCode whether a function's code is the running body's, with all that it refers to
   * @returns a verdict for each name; one that debug information does not cover has a reason and rests on its name
   */
  functions(
    names: Iterable<string>,
    before: (name: string) => Layouts | null,
    sameCode: (name: string) => boolean,
  ): Verdicts {
    return new Map(
      [...names].map((name) => {
        const layouts = before(name);
        if (layouts === null) return [name, { check: checkByName(name), change: null, reason: GONE }];
        const comparison = this.#with(layouts);
        const isSeen = () => sameCode(name) || comparison.isAlone(name);
        return [name, verdictOf(name, comparison.function(name), isSeen, () => comparison.around(name))];
      }),
    );
  }

  /** @param before the layouts of a build that has the variable; null if unknown */
  state(name: string, before: Layouts | null): StateVerdict {
    if (before === null) return { check: "unchecked", changes: [], reason: GONE };
    const found = this.#with(before).state(name);
    // What has a symbol of its own is no HOTPATCH_STATE: a variable that the loader shares among all copies.
    const title = name.startsWith("_Z") ? `variable ${name}` : `state ${name}`;
    const about = (texts: readonly string[]) => texts.map((text) => `${title}: ${text}`);
    switch (found.kind) {
      case "changed":
        return { check: "dwarf", changes: about(found.changes), remarks: about(found.remarks) };
      case "unknown":
        return { check: "unchecked", changes: [], reason: found.reason };
      case "same": {
        const unseen = unseenBy(
          found,
          () => true,
          () => this.#with(before).around(name),
        );
        const same = { changes: [], remarks: about(found.remarks) } as const;
        return unseen === null ? { check: "dwarf", ...same } : { check: "partly", ...same, reason: unseen };
      }
    }
  }

  #with(before: Layouts): Comparison {
    let comparison = this.#comparisons.get(before);
    if (comparison === undefined) {
      comparison = new Comparison(before, this.#after);
      this.#comparisons.set(before, comparison);
    }
    return comparison;
  }
}

const GONE = "the file of the running build is gone";

/** C++ names encode the argument types. */
export const checkByName = (name: string): "mangled" | "unchecked" => (/^_Z/.test(name) ? "mangled" : "unchecked");

function verdictOf(
  name: string,
  found: LayoutVerdict,
  isSeen: () => boolean,
  around: () => readonly string[] | null,
): Verdict {
  switch (found.kind) {
    case "same": {
      const unseen = unseenBy(found, isSeen, around);
      return unseen === null
        ? { check: "dwarf", change: null, remarks: found.remarks }
        : { check: "partly", change: null, remarks: found.remarks, reason: unseen };
    }
    case "changed": {
      const code = found.signature ? "signature-changed" : "layout-changed";
      return { check: "dwarf", change: { code, reasons: found.changes }, remarks: found.remarks };
    }
    case "unknown":
      return { check: checkByName(name), change: null, reason: found.reason };
  }
}

/**
 * What the debug information does not tell of a function; null: everything is told. A pointer that may lead anywhere is
 * harmless as long as no type around has changed: whatever is behind it, is as it was.
 * @param isSeen whether the function's code uses nothing that its signature does not lead to, or nothing new
 */
function unseenBy(
  { unseen, blind }: Extract<LayoutVerdict, { kind: "same" }>,
  isSeen: () => boolean,
  around: () => readonly string[] | null,
): string | null {
  if (unseen.length > 0) return listed(unseen);
  if (blind.length === 0 && isSeen()) return null;
  const changed = around();
  if (changed?.length === 0) return null;
  const ways = blind.length > 0 ? listed(blind) : "a variable or a call";
  if (changed === null) return `what ${ways} may lead to cannot be compared`;
  return `${listed(changed)} changed, and ${ways} may lead there`;
}

/** Texts that are named; the rest is counted. */
const MOST_NAMED = 3;

const listed = (texts: readonly string[]): string =>
  texts.length <= MOST_NAMED
    ? texts.join(", ")
    : `${texts.slice(0, MOST_NAMED).join(", ")} and ${texts.length - MOST_NAMED} more`;
