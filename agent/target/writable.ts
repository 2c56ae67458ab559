/** How code of the host is written: its pages are writable for just that time. */
import { type Address, pointerTo } from "./address.js";

/** Makes the code in [from, to) writable while `write` runs. False where that cannot be: then it did not run. */
export function whileWritable(from: Address, to: Address, write: () => void): boolean {
  const start = from - (from % Process.pageSize);
  const [page, size] = [pointerTo(start), to - start];
  if (!Memory.protect(page, size, "rwx")) return false;
  try {
    write();
  } finally {
    Memory.protect(page, size, "r-x");
  }
  return true;
}
