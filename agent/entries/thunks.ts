/** Thunks: the target of an entry's jump, which jumps on through the running table. Host-owned and never freed. */
import { codeWriter } from "../arch/index.js";
import { mapNear } from "../os/index.js";
import { type Address, addressOf } from "../target/address.js";
import type { Extent } from "../target/extent.js";

/** A jump that needs a thunk. */
interface Place {
  /** The function whose table index it jumps through. */
  readonly name: string;
  readonly at: Address;
}

/** Gives each place a thunk, in memory near the module, ready to run but not reachable yet. @throws NoRoom */
export function makeThunks<P extends Place>(
  module: Extent,
  places: readonly P[],
  epoch: Address,
  indexOf: (name: string) => number,
): (P & { readonly thunk: Address })[] {
  if (places.length === 0) return [];
  const step = codeWriter.thunkSize;
  const size = places.length * step;
  const memory = mapNear(
    module,
    places.map(({ at }) => at),
    size,
  );
  const start = addressOf(memory);
  const code = new DataView(new ArrayBuffer(size));
  const led = places.map((place, i) => {
    const { name, at } = place;
    const thunk = start + i * step;
    if (!codeWriter.inReach(at, thunk)) throw new Error(`the thunk of ${name} is out of its entry's reach`);
    codeWriter.writeThunk(code, i * step, thunk, epoch, indexOf(name));
    return { ...place, thunk };
  });
  memory.writeByteArray(code.buffer as ArrayBuffer);
  Memory.protect(memory, size, "r-x");
  return led;
}
