/** Work that is done when it is first asked for, and not again. */

/** Holds what `make` gave; what it needed is let go. */
export function lazy<T>(make: () => T): () => T {
  let get = (): T => {
    const made = make();
    get = () => made;
    return made;
  };
  return () => get();
}
