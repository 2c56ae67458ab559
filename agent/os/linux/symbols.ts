/** Symbols, as the loader resolves them for the host. */
import { nativeThatWaits } from "../../target/native.js";

const dlsym = nativeThatWaits("dlsym", "pointer", ["pointer", "pointer"]);

/** The address a name resolves to in the global scope; null if nothing defines it. */
export function globalSymbol(name: string): NativePointer | null {
  const address = dlsym(NULL, Memory.allocUtf8String(name));
  return address.isNull() ? null : address;
}
