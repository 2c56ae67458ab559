/** Keeps the newest files at hand for what is read of them later: a session has hundreds of generations. */

/** Files, and their bytes; two stay in any case, the old and the new side of a comparison. */
const MOST_FILES = 8;
const MOST_BYTES = 24e6;

interface File {
  readonly size: number;
  /** Lets go of the file. */
  readonly close: () => void;
}

const newestFirst: File[] = [];

/**
 * @param size of the file
 * @param reader what reads it
 * @returns the reader as long as the file is among the newest; null afterwards
 */
export function whileAtHand<T>(size: number, reader: T): () => T | null {
  let kept: T | null = reader;
  newestFirst.unshift({
    size,
    close: () => {
      kept = null;
    },
  });
  for (const file of newestFirst.splice(firstTooMany())) file.close();
  return () => kept;
}

/** Index of the first file that is not kept. */
function firstTooMany(): number {
  let total = 0;
  const found = newestFirst.findIndex(({ size }, i) => {
    total += size;
    return i >= 2 && (i >= MOST_FILES || total > MOST_BYTES);
  });
  return found < 0 ? newestFirst.length : found;
}
