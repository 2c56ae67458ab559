/** Judges functions and persistent variables by the debug information of both builds. Pure. */
import { Comparison, type LayoutVerdict } from "../layout/compare.js";
import type { Layouts } from "../layout/type.js";
import type { Verdict, Verdicts } from "./verdict.js";

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
   * @returns a verdict for each name; one that debug information does not cover has a reason and rests on its name
   */
  functions(names: Iterable<string>, before: (name: string) => Layouts | null): Verdicts {
    return new Map(
      [...names].map((name) => {
        const layouts = before(name);
        const found = layouts === null ? GONE : this.#with(layouts).function(name);
        return [name, verdictOf(name, found)];
      }),
    );
  }

  /** What has changed in the type of a persistent variable; empty if unknown. */
  state(name: string, before: Layouts | null): readonly string[] {
    const found = before === null ? GONE : this.#with(before).state(name);
    return found.kind === "changed" ? found.changes.map((change) => `state ${name}: ${change}`) : [];
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

const GONE: LayoutVerdict = { kind: "unknown", reason: "the file of the running build is gone" };

/** C++ names encode the argument types. */
export const checkByName = (name: string): "mangled" | "unchecked" => (/^_Z/.test(name) ? "mangled" : "unchecked");

function verdictOf(name: string, found: LayoutVerdict): Verdict {
  switch (found.kind) {
    case "same":
      return { check: "dwarf", change: null, remarks: found.remarks };
    case "changed": {
      const code = found.signature ? "signature-changed" : "layout-changed";
      return { check: "dwarf", change: { code, reasons: found.changes }, remarks: found.remarks };
    }
    case "unknown":
      return { check: checkByName(name), change: null, reason: found.reason };
  }
}
