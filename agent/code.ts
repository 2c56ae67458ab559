/**
 * The machine code that threads of ours begin in, and the store loop: one page of the target's own, which later agents
 * use again. Host-owned, because a constructor may return into it long after the script was unloaded.
 */
import { codeMappings } from "./mappings.js";
import { findNamed, mapNamed } from "./memory.js";
import { HOOK_CODE, LOADER_CODE, STORE_CODE } from "./thunk.js";

const NAME = "hotpatch-code";
const ALIGN = 16;

const PIECES = { store: STORE_CODE, loader: LOADER_CODE, hook: HOOK_CODE } as const;

/** All pieces, each at an aligned offset. */
const offsets = new Map<keyof typeof PIECES, number>();
const bytes: number[] = [];
for (const piece of ["store", "loader", "hook"] as const) {
  while (bytes.length % ALIGN !== 0) bytes.push(0xcc);
  offsets.set(piece, bytes.length);
  bytes.push(...PIECES[piece]);
}

let page: NativePointer | null = null;

/** Where this piece can be called. */
export function codeOf(piece: keyof typeof PIECES): NativePointer {
  page ??= earlierPage() ?? newPage();
  return page.add(offsets.get(piece) ?? 0);
}

/** An earlier agent's, if it holds just what ours would. */
function earlierPage(): NativePointer | null {
  const found = findNamed(NAME, codeMappings());
  if (found === null) return null;
  const there = new Uint8Array(found.readByteArray(bytes.length) ?? new ArrayBuffer(0));
  return bytes.every((byte, i) => there[i] === byte) ? found : null;
}

function newPage(): NativePointer {
  const memory = mapNamed(NAME, bytes.length);
  memory.writeByteArray(bytes);
  Memory.protect(memory, bytes.length, "r-x");
  return memory;
}
