/** The target's addresses and words as plain numbers. */

/** A number suffices: user space has 47 bits, a double holds 53. Bulk work on NativePointers is 20 times slower. */
export type Address = number;

/** 8 bytes as two little-endian halves, low first. */
export type Word = readonly [low: number, high: number];

export const addressOf = (p: NativePointer): Address => Number(p.toString());

export const pointerTo = (address: Address): NativePointer => ptr(`0x${address.toString(16)}`);

const hex = (value: number): string => value.toString(16).padStart(8, "0");

/** The word in hex, for comparisons and error messages. */
export const wordText = ([low, high]: Word): string => hex(high) + hex(low);

export const wordNumber = (word: Word): UInt64 => uint64(`0x${wordText(word)}`);

/** The lowest and highest of these addresses. */
export function spanOf(addresses: readonly Address[]): { readonly low: Address; readonly high: Address } {
  let [low, high] = [Number.POSITIVE_INFINITY, 0];
  for (const address of addresses) {
    low = Math.min(low, address);
    high = Math.max(high, address);
  }
  return { low, high };
}
