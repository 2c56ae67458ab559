/** The functions a library has ever had, and the index of each in its tables. Pure. */

/** Stands for a function that could not be adopted after it had been given a place in the tables. */
const NOBODY = "";

interface Named {
  readonly name: string;
}

export class Functions {
  readonly #places: string[];
  readonly #indices: Map<string, number>;

  /** @param places see `places`. */
  constructor(places: readonly string[]) {
    this.#places = [...places];
    this.#indices = new Map(this.#places.flatMap((name, i) => (name === NOBODY ? [] : [[name, i]])));
  }

  /** Names by index; "" for an unused one. */
  get places(): readonly string[] {
    return this.#places;
  }

  /** Every function that any generation has had. */
  get names(): readonly string[] {
    return this.#places.filter((name) => name !== NOBODY);
  }

  has(name: string): boolean {
    return this.#indices.has(name);
  }

  /** Its index in the tables. Throws if it has none. */
  readonly indexOf = (name: string): number => {
    const index = this.#indices.get(name);
    if (index === undefined) throw new Error(`${name} has no place in the tables`);
    return index;
  };

  /** Assigns an index to each new function. */
  take(functions: readonly Named[]): void {
    for (const { name } of functions) {
      if (this.has(name)) continue;
      this.#indices.set(name, this.#places.length);
      this.#places.push(name);
    }
  }

  /** Undoes new names if `make` throws: the tables have no bodies for them. */
  orForget<T>(make: () => T): T {
    const known = this.#places.length;
    try {
      return make();
    } catch (error) {
      for (const name of this.#places.splice(known)) this.#indices.delete(name);
      throw error;
    }
  }

  /** Forgets functions whose entries could not be redirected. */
  drop(functions: readonly Named[]): void {
    for (const { name } of functions) {
      this.#places[this.indexOf(name)] = NOBODY;
      this.#indices.delete(name);
    }
  }
}
