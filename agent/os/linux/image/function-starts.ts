/**
 * Where a loaded module's functions start, from the unwinder's search table (.eh_frame_hdr): stripped libraries have it
 * too, and reading it does not involve the process's own unwinder, which may be busy or missing.
 * Source: LSB 5.0 core, "Exception Frames"; gcc, clang and the linkers all write the one encoding read here.
 */
import { PT_GNU_EH_FRAME } from "../../../../schemas/elf.js";
import { type Address, addressOf } from "../../../target/address.js";
import { Peeked } from "../peek.js";
import { segmentOf } from "./segments.js";

/** version 1; eh_frame_ptr pcrel sdata4; fde_count udata4; table datarel sdata4. */
const HEAD = 0x3b031b01;
const ENTRY = 8;

/** Finds the start of the function that contains an address; null if the module has no such table. */
export class FunctionStarts {
  readonly #memory = new Peeked();
  readonly #header: Address | null;
  readonly #count: number;

  constructor(base: NativePointer) {
    const segment = segmentOf(base, PT_GNU_EH_FRAME);
    const known = segment !== null && this.#memory.u32(addressOf(segment)) === HEAD;
    this.#header = known ? addressOf(segment) : null;
    this.#count = this.#header === null ? 0 : this.#memory.u32(this.#header + 8);
  }

  of(address: Address): Address | null {
    let [low, high] = [0, this.#count - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#start(middle) <= address) low = middle;
      else high = middle - 1;
    }
    return this.#count > 0 && this.#start(low) <= address ? this.#start(low) : null;
  }

  #start(i: number): Address {
    const header = this.#header ?? 0;
    return header + (this.#memory.u32(header + 12 + i * ENTRY) | 0);
  }
}
