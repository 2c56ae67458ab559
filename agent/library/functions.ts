/** Which functions a library has had, and the place of each in its tables. Pure. */

/** Stands for a function that could not be adopted and whose place in the tables was taken by then. */
const NOBODY = "";

interface Named {
  readonly name: string;
}

export class Functions {
  readonly #places: string[];
  readonly #indices: Map<string, number>;

  /** @param places see `places` */
  constructor(places: readonly string[]) {
    this.#places = [...places];
    this.#indices = new Map(this.#places.flatMap((name, i) => (name === NOBODY ? [] : [[name, i]])));
  }

  /** By place; "" for one that nobody has. */
  get places(): readonly string[] {
    return this.#places;
  }

  /** Every function any generation has had. */
  get names(): readonly string[] {
    return this.#places.filter((name) => name !== NOBODY);
  }

  has(name: string): boolean {
    return this.#indices.has(name);
  }

  /** Its place in the tables. Throws when it has none. */
  readonly indexOf = (name: string): number => {
    const index = this.#indices.get(name);
    if (index === undefined) throw new Error(`${name} has no place in the tables`);
    return index;
  };

  /** Gives each function that is new its place. */
  take(functions: readonly Named[]): void {
    for (const { name } of functions) {
      if (this.has(name)) continue;
      this.#indices.set(name, this.#places.length);
      this.#places.push(name);
    }
  }

  /** What there was no room for leaves no names behind: the tables have no bodies for them. */
  orForget<T>(make: () => T): T {
    const known = this.#places.length;
    try {
      return make();
    } catch (error) {
      for (const name of this.#places.splice(known)) this.#indices.delete(name);
      throw error;
    }
  }

  /** Forgets functions whose entries do not lead to their places. */
  drop(functions: readonly Named[]): void {
    for (const { name } of functions) {
      this.#places[this.indexOf(name)] = NOBODY;
      this.#indices.delete(name);
    }
  }
}
