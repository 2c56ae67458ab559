/**
 * The persistent variables of a loaded module, from its memory: where the live value is. Its file may be gone by now, and
 * memory knows the addresses. Source of the record's form: docs/marks.md, "hp_state".
 */
import type { StateVariable } from "../schemas/agent.js";

/** "HPSTATE1" */
const MAGIC = "48 50 53 54 41 54 45 31";
/** In bytes. */
const RECORD = 64;
const ALIGN = 8;

interface Extent {
  readonly base: NativePointer;
  readonly size: number;
}

/** In the order of their addresses. Reads only what is mapped from the file: a record is never in .bss. */
export function stateIn(module: Extent): StateVariable[] {
  return Process.enumerateRanges("rw-")
    .filter((range) => range.file !== undefined && contains(module, range.base))
    .flatMap((range) =>
      Memory.scanSync(range.base, range.size, MAGIC)
        .filter(({ address }) => address.add(RECORD).compare(range.base.add(range.size)) <= 0)
        .map(({ address }) => readRecord(address, module))
        .filter((variable) => variable !== null),
    );
}

const contains = ({ base, size }: Extent, at: NativePointer): boolean =>
  at.compare(base) >= 0 && at.compare(base.add(size)) < 0;

/** Null for bytes that only look like a record: nothing that they point to is touched. */
function readRecord(at: NativePointer, module: Extent): StateVariable | null {
  if (!at.and(ALIGN - 1).isNull() || at.add(8).readU32() !== RECORD) return null;
  const [owner, own, name, type] = [32, 40, 48, 56].map((offset) => at.add(offset).readPointer());
  if (owner === undefined || own === undefined || name === undefined || type === undefined) return null;
  if (![name, type].every((pointer) => contains(module, pointer))) return null;
  return {
    name: name.readUtf8String() ?? "",
    type: type.readUtf8String() ?? "",
    size: at.add(16).readU64().toNumber(),
    align: at.add(24).readU64().toNumber(),
    address: (owner.isNull() ? own : owner).toString(),
  };
}
