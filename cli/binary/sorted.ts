/** Places in numbers that ascend. */

/** Index of the first that is above `value`; the length where none is. */
export const firstAbove = (sorted: ArrayLike<number>, value: number): number => search(sorted, value, true);

/** Index of the first that is `value` or above; the length where none is. */
export const firstFrom = (sorted: ArrayLike<number>, value: number): number => search(sorted, value, false);

function search(sorted: ArrayLike<number>, value: number, past: boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const one = sorted[middle] ?? 0;
    if (one < value || (past && one === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
