/**
 * The machine code our threads start in, and the store loop: one page, which later agents reuse. Host-owned, because a
 * constructor may return into it long after the script has been unloaded.
 */
import { THREAD_CODE } from "../../arch/index.js";
import { findNamedCode, mapNamed } from "./memory.js";

const NAME = "hotpatch-code";
const { bytes, offsets } = THREAD_CODE;

let page: NativePointer | null = null;

/** The address to call this piece at. */
export function codeOf(piece: keyof typeof offsets): NativePointer {
  page ??= earlierPage() ?? newPage();
  return page.add(offsets[piece]);
}

/** An earlier agent's page, if its contents are exactly ours. */
function earlierPage(): NativePointer | null {
  const found = findNamedCode(NAME);
  if (found === null) return null;
  const there = new Uint8Array(found.readByteArray(bytes.length) ?? new ArrayBuffer(0));
  return bytes.every((byte, i) => there[i] === byte) ? found : null;
}

function newPage(): NativePointer {
  const memory = mapNamed(NAME, bytes.length);
  memory.writeByteArray([...bytes]);
  Memory.protect(memory, bytes.length, "r-x");
  return memory;
}
