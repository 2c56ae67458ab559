/**
 * Where the threads of this process are and what they return to, by reading their stacks. Stops no thread that waits in
 * the kernel: Process.enumerateThreads() stops all of them, and their epoll_wait() then fails with EINTR (measured).
 * Reads through process_vm_readv, which answers EFAULT where a plain read of a stack that has gone would fault.
 */
import { type Address, addressOf, pointerTo } from "./thunk.js";

export interface Range {
  readonly start: Address;
  readonly end: Address;
}

const global = (name: string) => Module.getGlobalExportByName(name);
const opendir = new NativeFunction(global("opendir"), "pointer", ["pointer"]);
const readdir = new NativeFunction(global("readdir"), "pointer", ["pointer"]);
const closedir = new NativeFunction(global("closedir"), "int", ["pointer"]);
const processVmReadv = new SystemFunction(global("process_vm_readv"), "long", [
  "int",
  "pointer",
  "ulong",
  "pointer",
  "ulong",
  "ulong",
]);

const ESRCH = 3;
const EFAULT = 14;
/** Of d_name in glibc's struct dirent on x86_64. */
const D_NAME = 19;
/** Bytes read at a time. */
const PIECE = 64 * 1024;
const WORD = 8;

/**
 * For each thread the addresses within `ranges` that it executes at or that lie on its stack: every return address, and
 * what looks like one, so an upper bound. Null where the kernel does not let stacks be read.
 */
export function addressesOnStacks(ranges: readonly Range[]): Address[][] | null {
  const threads: Address[][] = [];
  const self = Process.getCurrentThreadId();
  for (const id of threadIds()) {
    if (id === self) continue;
    const place = placeOf(id);
    if (place === "gone") continue;
    const found = place === "unknown" ? null : onStack(place.sp, ranges);
    if (found === null) return null;
    if (place !== "unknown" && isIn(ranges, place.pc)) found.push(place.pc);
    threads.push(found);
  }
  return threads;
}

function threadIds(): number[] {
  const folder = opendir(Memory.allocUtf8String("/proc/self/task"));
  if (folder.isNull()) return [];
  const ids: number[] = [];
  for (let entry = readdir(folder); !entry.isNull(); entry = readdir(folder)) {
    const id = Number(entry.add(D_NAME).readUtf8String());
    if (id > 0) ids.push(id);
  }
  closedir(folder);
  return ids;
}

/** A waiting thread's own words in /proc; one that runs is stopped for the moment it takes to read its registers. */
function placeOf(id: number): { pc: Address; sp: Address } | "gone" | "unknown" {
  const text = readText(`/proc/self/task/${id}/syscall`);
  if (text === null) return readText(`/proc/self/task/${id}/comm`) === null ? "gone" : "unknown";
  const words = text.trim().split(" ");
  if (words.length > 2) return { pc: Number(words.at(-1)), sp: Number(words.at(-2)) };
  const thread = Process.findThreadById(id);
  if (thread === null) return "gone";
  return { pc: addressOf(thread.context.pc), sp: addressOf(thread.context.sp) };
}

/** Null: stacks cannot be read at all. A stack that goes while it is read has what was found so far. */
function onStack(sp: Address, ranges: readonly Range[]): Address[] | null {
  const found: Address[] = [];
  const stack = Process.findRangeByAddress(pointerTo(sp));
  if (stack === null) return found;
  const end = addressOf(stack.base) + stack.size;
  const buffer = Memory.alloc(PIECE);
  for (let at = sp - (sp % WORD); at < end; at += PIECE) {
    const bytes = read(at, Math.min(PIECE, end - at), buffer);
    if (bytes === null) return null;
    const halves = new Uint32Array(bytes);
    for (let i = 0; i + 1 < halves.length; i += 2) {
      const word = (halves[i] ?? 0) + (halves[i + 1] ?? 0) * 2 ** 32;
      if (isIn(ranges, word)) found.push(word);
    }
    if (bytes.byteLength < PIECE) break;
  }
  return found;
}

/** What can be read of `size` bytes; null where the kernel forbids it. */
function read(at: Address, size: number, buffer: NativePointer): ArrayBuffer | null {
  const vectors = Memory.alloc(4 * Process.pointerSize);
  vectors.writePointer(buffer).add(WORD).writeU64(size);
  vectors
    .add(2 * WORD)
    .writePointer(pointerTo(at))
    .add(WORD)
    .writeU64(size);
  const answer = processVmReadv(
    Process.id,
    vectors,
    1,
    vectors.add(2 * WORD),
    1,
    0,
  ) as UnixSystemFunctionResult<number>;
  const length = Number(answer.value);
  if (length >= 0) return buffer.readByteArray(length - (length % WORD)) ?? new ArrayBuffer(0);
  return answer.errno === EFAULT || answer.errno === ESRCH ? new ArrayBuffer(0) : null;
}

const isIn = (ranges: readonly Range[], address: Address): boolean =>
  ranges.some(({ start, end }) => address >= start && address < end);

function readText(path: string): string | null {
  try {
    return File.readAllText(path);
  } catch {
    return null; // the thread has ended, or the kernel does not let us look: the caller tells them apart
  }
}
