/** Reads many of the target's words at once: thousands of entries in a few reads. */
import { ENTRY_SIZE } from "../../schemas/abi.js";
import { type Address, pointerTo, type Word } from "./address.js";

/** Addresses further apart than this are read separately: what lies between may be unreadable. */
const GAP = 64 * 1024;

/** The words at these addresses, in as few reads as possible. */
export function wordsAt(addresses: readonly Address[]): Word[] {
  const order = addresses.map((_, i) => i).sort((a, b) => (addresses[a] ?? 0) - (addresses[b] ?? 0));
  const at = (i: number): Address => addresses[order[i] ?? 0] ?? 0;
  const found: Word[] = new Array<Word>(addresses.length);
  for (let first = 0; first < order.length; ) {
    let last = first;
    while (last + 1 < order.length && at(last + 1) - at(last) < GAP) last++;
    const low = at(first);
    const bytes = pointerTo(low).readByteArray(at(last) + ENTRY_SIZE - low);
    if (bytes === null) throw new Error(`nothing can be read at 0x${low.toString(16)}`);
    const view = new DataView(bytes);
    for (; first <= last; first++) {
      const offset = at(first) - low;
      found[order[first] ?? 0] = [view.getUint32(offset, true), view.getUint32(offset + 4, true)];
    }
  }
  return found;
}
