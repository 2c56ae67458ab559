/** What a marked function's entry looks like before it is redirected. Pure. */
import { ENTRY_NOPS, ENTRY_SIZE } from "../../../schemas/abi.js";
import { UNALIGNED } from "../../../schemas/names.js";
import { type Address, type Word, wordText } from "../../target/address.js";

const bytesOf = (nop: string): string[] => nop.match(/../g) ?? [];

/** The no-ops of marked entries, as the words they are read as. */
const NOPS: ReadonlySet<string> = new Set(Object.values(ENTRY_NOPS).map((bytes) => bytesOf(bytes).reverse().join("")));

/** As a Memory.scan() pattern. */
export const GCC_ENTRY = bytesOf(ENTRY_NOPS.gcc).join(" ");

/** Why these 8 bytes at this address cannot be a patchable entry; null if they can. */
export function entryProblem(entry: Address, word: Word): string | null {
  if (entry % ENTRY_SIZE !== 0) return UNALIGNED;
  const text = wordText(word);
  if (NOPS.has(text)) return null;
  return `its entry is not one ${ENTRY_SIZE}-byte no-op (it reads ${text.replace(/../g, "$& ").trim()}, last byte first)`;
}
