/**
 * Takes a loaded library off the file it was mapped from: the same bytes at the same addresses, backed by a copy that no
 * build writes to. Otherwise, overwriting the file in place (`cp`, a linker that truncates) would change or cut off running
 * code. Only for a library that no thread is using: writes to its data between copy and exchange would be lost.
 */

import { contains, type Place } from "../../target/extent.js";
import { native } from "../../target/native.js";
import { close, MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, mmap, munmap, PROT_RW } from "./calls.js";
import { type Mapping, mappings, NO_FILE } from "./mappings.js";

const open = native("open", "int", ["pointer", "int", "int"]);
const sendfile = native("sendfile", "long", ["int", "int", "pointer", "size_t"]);
const mprotect = native("mprotect", "int", ["pointer", "size_t", "int"]);
const mremap = native("mremap", "pointer", ["pointer", "size_t", "size_t", "int", "pointer"]);
const memcmp = native("memcmp", "int", ["pointer", "pointer", "size_t"]);

const O_CREAT_EXCL_WRONLY_CLOEXEC = 0o100 | 0o200 | 1 | 0o2000000;
const O_RDONLY_CLOEXEC = 0o2000000;
const MODE = 0o700;
const PROT_NONE = 0;
const MREMAP_MAYMOVE_FIXED = 3;
/** Bytes per sendfile call: below the kernel's limit of 2 GB. */
const PIECE = 0x40000000;

/** One piece ready to be exchanged: `fresh` holds the same bytes. */
interface Exchange extends Mapping {
  readonly fresh: NativePointer;
}

/**
 * @param copy path of the file to create; must not exist
 * @returns null once the library is off its file, else why it is not: then nothing has changed
 */
export function stage(place: Place, copy: string): string | null {
  const pieces = piecesOf(place);
  if (pieces.length === 0) return "it is not mapped from a file";
  const unheld = hold(place);
  if (unheld !== null) return unheld;
  const size = copyFile(place.path, copy);
  if (typeof size === "string") return size;
  const ready: Exchange[] = [];
  const file = open(Memory.allocUtf8String(copy), O_RDONLY_CLOEXEC, 0);
  try {
    for (const piece of pieces) {
      const fresh = prepare(piece, file, size);
      if (fresh === null) return `the kernel refused to map ${copy}`;
      ready.push({ ...piece, fresh });
    }
    while (ready.length > 0) {
      const { fresh, size: bytes, base } = ready[0] as Exchange;
      // ONE call replaces the old mapping with the new one: nobody sees a gap.
      if (mremap(fresh, bytes, bytes, MREMAP_MAYMOVE_FIXED, base).equals(MAP_FAILED))
        return "the kernel refused mremap";
      ready.shift();
    }
    return null;
  } finally {
    close(file);
    for (const { fresh, size: bytes } of ready) munmap(fresh, bytes);
  }
}

/**
 * Keeps the library's own inode from being freed when a build replaces the file, by mapping one inaccessible page of it.
 * The loader identifies libraries by device and inode: a copy that got the freed inode would be taken for generation 0 and
 * never be loaded.
 * @returns why not; null if it is held, for as long as the process lives
 */
function hold(place: Place): string | null {
  const file = open(Memory.allocUtf8String(place.path), O_RDONLY_CLOEXEC, 0);
  if (file < 0) return `${place.path} cannot be opened`;
  const page = mmap(NULL, Process.pageSize, PROT_NONE, MAP_PRIVATE, file, 0);
  close(file);
  if (page.equals(MAP_FAILED)) return `the kernel refused to map ${place.path}`;
  const mapped = mappings();
  const fileAt = (address: NativePointer) => mapped.find(({ base }) => base.equals(address))?.file;
  if (fileAt(page) === fileAt(place.base)) return null;
  munmap(page, Process.pageSize);
  return `${place.path} has been replaced`;
}

/** A private mapping elsewhere with the piece's bytes and protection; null if the kernel refuses. */
function prepare({ base, size, protection, offset }: Mapping, file: number, fileSize: number): NativePointer | null {
  // If the file was replaced by a shorter one, pages past its end cannot be touched.
  const backed = offset + size <= fileSize + Process.pageSize - 1;
  const fresh = backed
    ? mmap(NULL, size, PROT_RW, MAP_PRIVATE, file, offset)
    : mmap(NULL, size, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (fresh.equals(MAP_FAILED)) return null;
  // Relocated data and text differ from the file, and it may have been replaced: the live bytes count.
  const readable = (protection & 1) !== 0;
  if (readable && memcmp(fresh, base, size) !== 0) Memory.copy(fresh, base, size);
  if (mprotect(fresh, size, protection) === 0) return fresh;
  munmap(fresh, size);
  return null;
}

/** The number of bytes copied, or why it failed. */
function copyFile(from: string, to: string): number | string {
  const source = open(Memory.allocUtf8String(from), O_RDONLY_CLOEXEC, 0);
  if (source < 0) return `${from} cannot be opened`;
  const target = open(Memory.allocUtf8String(to), O_CREAT_EXCL_WRONLY_CLOEXEC, MODE);
  let size = 0;
  try {
    if (target < 0) return `${to} cannot be created`;
    for (;;) {
      const sent = Number(sendfile(target, source, NULL, PIECE));
      if (sent < 0) return `${to} cannot be written`;
      if (sent === 0) return size;
      size += sent;
    }
  } finally {
    close(source);
    if (target >= 0) close(target);
  }
}

/** The library's mappings of its own file. */
function piecesOf(place: Place): Mapping[] {
  const inside = mappings().filter(({ base, shared }) => !shared && contains(place, base));
  const own = inside.find(({ base }) => base.equals(place.base))?.file;
  return own === undefined || own === NO_FILE ? [] : inside.filter(({ file }) => file === own);
}
