/**
 * A loaded module's persistent variables and where their live values are, read from memory: the file may be gone by now,
 * and only memory has the addresses. Source of the record's format: docs/marks.md, "hp_state".
 */
import { RECORD, RECORD_VERSION, STATE_RECORD } from "../../schemas/abi.js";
import type { StateVariable } from "../../schemas/agent.js";
import type { Extent } from "../target/extent.js";
import { leadInside, recordsIn } from "./records.js";

const { magic, head, at: AT } = STATE_RECORD;

/** In address order. */
export const stateIn = (module: Extent): StateVariable[] =>
  recordsIn(module, magic + RECORD_VERSION, head)
    .map((at) => readRecord(at, module))
    .filter((variable) => variable !== null);

/** Null for bytes that only look like a record: their pointers are not followed. */
function readRecord(at: NativePointer, module: Extent): StateVariable | null {
  if (at.add(RECORD.bytes).readU32() !== head) return null;
  const [owner, own, name, type] = [AT.owner, AT.storage, AT.name, AT.type].map((offset) =>
    at.add(offset).readPointer(),
  );
  if (owner === undefined || own === undefined || name === undefined || type === undefined) return null;
  if (name.isNull() || type.isNull() || !leadInside(module, [name, type])) return null;
  return {
    name: name.readUtf8String() ?? "",
    type: type.readUtf8String() ?? "",
    size: at.add(AT.size).readU64().toNumber(),
    align: at.add(AT.align).readU64().toNumber(),
    address: (owner.isNull() ? own : owner).toString(),
  };
}
