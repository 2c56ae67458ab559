/** Thunks: what an entry's jump leads to, and what jumps on through the running table. Host-owned and never freed. */
import { codeWriter } from "../arch/index.js";
import { mapNear } from "../os/index.js";
import { type Address, addressOf } from "../target/address.js";
import type { Extent } from "../target/extent.js";

/** A jump that a thunk is wanted for. */
interface Place {
  /** The function whose place in the tables it leads to. */
  readonly name: string;
  readonly at: Address;
}

/** The places with a thunk each, in memory near their module, ready to run; nothing leads to them yet. @throws NoRoom */
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
