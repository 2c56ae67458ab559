/**
 * Detects that the host has closed the agent's descriptors, as closefrom() and close_range() do: then nobody can reach the
 * agent or tell it to leave. So it keeps a descriptor of its own and checks it from time to time.
 */
import { LINUX } from "../../arch/index.js";
import { native } from "../../target/native.js";
import { close, MFD_CLOEXEC, memfdCreate } from "./calls.js";

const fstat = native("fstat", "int", ["int", "pointer"]);

export class OwnDescriptor {
  readonly #number = memfdCreate(Memory.allocUtf8String("hotpatch-alive"), MFD_CLOEXEC);
  readonly #inode = inodeOf(this.#number);

  /** Its number may have been reused for another file. */
  get closed(): boolean {
    return this.#inode !== null && inodeOf(this.#number) !== this.#inode;
  }

  close(): void {
    if (this.#inode !== null && !this.closed) close(this.#number);
  }
}

/** Null if there is no such descriptor. */
function inodeOf(fd: number): string | null {
  const stat = Memory.alloc(LINUX.stat.size);
  return fd >= 0 && fstat(fd, stat) === 0 ? stat.add(LINUX.stat.inode).readU64().toString() : null;
}
