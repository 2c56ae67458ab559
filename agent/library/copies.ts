/** A library's loaded generations: where each one is, and what its image says, which never changes. */
import type { StateVariable } from "../../schemas/agent.js";
import { stateIn } from "../marks/state.js";
import { FunctionStarts } from "../os/index.js";
import { type Address, addressOf } from "../target/address.js";
import type { Extent, Place } from "../target/extent.js";

export interface Copy extends Place {
  readonly buildId: string | null;
  readonly hash: string | null;
  /** Number of functions in it. */
  readonly functions: number;
}

export interface Range {
  readonly start: Address;
  readonly end: Address;
}

export const rangeOf = ({ base, size }: Extent): Range => ({ start: addressOf(base), end: addressOf(base) + size });

export const isIn = ({ start, end }: Range, address: Address): boolean => address >= start && address < end;

export class Copies {
  readonly #copies: Map<number, Copy>;
  readonly #starts = new Map<number, FunctionStarts>();
  readonly #state = new Map<number, StateVariable[]>();

  constructor(copies: Iterable<readonly [generation: number, copy: Copy]>) {
    this.#copies = new Map(copies);
  }

  /** In the order in which they were loaded. */
  all(): readonly (readonly [generation: number, copy: Copy])[] {
    return [...this.#copies];
  }

  has(generation: number): boolean {
    return this.#copies.has(generation);
  }

  add(generation: number, copy: Copy): void {
    this.#copies.set(generation, copy);
  }

  baseOf(generation: number): NativePointer {
    const copy = this.#copies.get(generation);
    if (copy === undefined) throw new Error(`there is no generation ${generation}`);
    return copy.base;
  }

  /** The generation loaded at `base`, if any. */
  at(base: NativePointer): number | undefined {
    return this.all().find(([, copy]) => copy.base.equals(base))?.[0];
  }

  /** Where a thread may be executing in one of them. Empty if there is only one. */
  get ranges(): Range[] {
    return this.#copies.size === 1 ? [] : [...this.#copies.values()].map(rangeOf);
  }

  /** The start addresses of a generation's functions. */
  startsOf(generation: number): FunctionStarts {
    const known = this.#starts.get(generation) ?? new FunctionStarts(this.baseOf(generation));
    this.#starts.set(generation, known);
    return known;
  }

  /** Each persistent variable once: the first generation to have it owns it. */
  state(): StateVariable[] {
    const owned = new Map<string, StateVariable>();
    for (const [generation, copy] of this.#copies) {
      const known = this.#state.get(generation) ?? stateIn(copy);
      this.#state.set(generation, known);
      for (const variable of known) if (!owned.has(variable.name)) owned.set(variable.name, variable);
    }
    return [...owned.values()];
  }
}
