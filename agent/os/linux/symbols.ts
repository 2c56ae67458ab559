/** Names, as the loader finds them for the host. */
import { nativeThatWaits } from "../../target/native.js";

const dlsym = nativeThatWaits("dlsym", "pointer", ["pointer", "pointer"]);

/** Where a name leads in the global scope; null where nothing defines it. */
export function globalSymbol(name: string): NativePointer | null {
  const address = dlsym(NULL, Memory.allocUtf8String(name));
  return address.isNull() ? null : address;
}
