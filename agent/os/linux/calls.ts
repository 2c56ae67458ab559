/** What several files call of mmap(2), memfd_create(2) and close(2). */
import { native } from "../../target/native.js";

export const mmap = native("mmap", "pointer", ["pointer", "size_t", "int", "int", "int", "long"]);
export const munmap = native("munmap", "int", ["pointer", "size_t"]);
export const memfdCreate = native("memfd_create", "int", ["pointer", "uint"]);
export const close = native("close", "int", ["int"]);

export const PROT_RW = 3;
export const MAP_PRIVATE = 0x02;
export const MAP_ANONYMOUS = 0x20;
/** Of mmap and mremap. */
export const MAP_FAILED = ptr(-1);
export const MFD_CLOEXEC = 1;
