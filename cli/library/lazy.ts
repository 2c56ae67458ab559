/** Work that is done once, on first use. */

/** Keeps the result of `make`, and releases what it needed. */
export function lazy<T>(make: () => T): () => T {
  let get = (): T => {
    const made = make();
    get = () => made;
    return made;
  };
  return () => get();
}
