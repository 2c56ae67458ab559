/** What code does and constants say, as hashes that do not depend on where anything is. Pure. */
import { hash } from "node:crypto";

/** A function or constant data. */
export interface Meaning {
  /** Of a function, without compiler suffixes; null for data. */
  readonly name: string | null;
  /** Its own bytes, and the names of what it refers to. */
  readonly own: string;
  /** The functions without a mark and the constants that it refers to, in the order in which it does so. */
  readonly reaches: readonly Meaning[];
  /** All of it, with everything that it reaches. */
  readonly whole: string;
}

/** One that is being read. */
export interface Draft extends Meaning {
  own: string;
  readonly reaches: Draft[];
  whole: string;
  /** In the order of the search below; 0: not met yet. */
  order: number;
}

export const draft = (name: string | null): Draft => ({ name, own: "", reaches: [], whole: "", order: 0 });

/** One whose references are being followed. */
interface Step {
  readonly node: Draft;
  next: number;
  /** The first of those that are open and that it reaches. */
  lowest: number;
}

/**
 * Fills in `whole`. Functions that reach each other are told together: each stands for the whole circle.
 * Source: Tarjan, Depth-first search and linear graph algorithms (1972), without recursion: calls go deeper than a stack.
 */
export function complete(roots: Iterable<Draft>): void {
  const search = new Search();
  for (const root of roots) if (root.order === 0) search.from(root);
}

class Search {
  /** Met, and not complete yet. */
  readonly #open: Draft[] = [];
  readonly #path: Step[] = [];
  #order = 0;

  from(root: Draft): void {
    this.#enter(root);
    for (let step = this.#path.at(-1); step !== undefined; step = this.#path.at(-1)) {
      const child = step.node.reaches[step.next++];
      if (child === undefined) this.#leave();
      else if (child.order === 0) this.#enter(child);
      else if (child.whole === "") step.lowest = Math.min(step.lowest, child.order);
    }
  }

  #enter(node: Draft): void {
    node.order = ++this.#order;
    this.#open.push(node);
    this.#path.push({ node, next: 0, lowest: node.order });
  }

  #leave(): void {
    const done = this.#path.pop();
    if (done === undefined) return;
    const parent = this.#path.at(-1);
    if (parent !== undefined) parent.lowest = Math.min(parent.lowest, done.lowest);
    if (done.lowest === done.node.order) close(this.#open.splice(this.#open.lastIndexOf(done.node)));
  }
}

/** @param circle functions that all reach each other, or a single one */
function close(circle: readonly Draft[]): void {
  // What lies in the circle is not complete yet, and stands for itself by its own code.
  const outward = circle.map(({ own, reaches }) => hashOf([own, ...reaches.map((one) => one.whole || one.own)]));
  if (circle.length === 1) {
    for (const node of circle) node.whole = outward[0] ?? "";
    return;
  }
  const all = hashOf([...outward].sort());
  for (const [i, node] of circle.entries()) node.whole = hashOf([outward[i] ?? "", all]);
}

const hashOf = (parts: readonly string[]): string => hash("sha1", parts.join(" "), "hex");
