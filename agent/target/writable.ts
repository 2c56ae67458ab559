/** Writes to the host's code: its pages are writable only for as long as that takes. */
import { type Address, pointerTo } from "./address.js";

/** Makes the code in [from, to) writable while `write` runs. False if that is impossible; `write` has not run then. */
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
