/**
 * Finds records in a module's memory (its file may be gone by now), and reads those of marked functions (hp_marks).
 * Source of the format: docs/marks.md, byte by byte.
 */
import { MARK_RECORD, RECORD, RECORD_VERSION } from "../../schemas/abi.js";
import { dataMappings, NO_FILE, pointersIn } from "../os/index.js";
import { type Address, addressOf } from "../target/address.js";
import { contains, type Extent } from "../target/extent.js";

const { magic, head, part, at: AT } = MARK_RECORD;

/** A marked function as described by its record. */
interface RecordedMark {
  readonly name: string;
  readonly entry: Address;
  /** "file:line"; null if unknown. */
  readonly place: string | null;
}

export interface RecordedMarks {
  readonly marks: readonly RecordedMark[];
  /** Versions of records that this agent cannot read. */
  readonly unknown: readonly string[];
}

/**
 * Where a module's records with this magic may be, in address order. Only writable mappings of its file are searched: the
 * loader has to write a record's pointers. Includes bytes that only look like a record: see `leadInside`.
 * @param magic with or without the version
 * @param size the fewest bytes a record can have
 */
export function recordsIn(module: Extent, magic: string, size: number): NativePointer[] {
  const pattern = [...magic].map((c) => c.charCodeAt(0).toString(16)).join(" ");
  return dataMappings()
    .filter((range) => range.file !== NO_FILE && contains(module, range.base))
    .flatMap((range) =>
      Memory.scanSync(range.base, range.size, pattern)
        .map(({ address }) => address)
        .filter((at) => at.and(RECORD.align - 1).isNull() && at.add(size).compare(range.base.add(range.size)) <= 0),
    );
}

/** Whether all of these pointers point into the module, as a real record's do. Null pointers pass. */
export const leadInside = (module: Extent, pointers: readonly NativePointer[]): boolean =>
  pointers.every((pointer) => pointer.isNull() || contains(module, pointer));

/** The module may be mapped but not relocated yet: that is when the loader notifies us. */
export function recordedMarks(module: Extent): RecordedMarks {
  const marks: RecordedMark[] = [];
  const unknown = new Set<string>();
  const pointer = pointersIn(module);
  for (const at of recordsIn(module, magic, head)) {
    if (at.add(RECORD.bytes).readU32() !== head + part * at.add(RECORD.parts).readU32()) continue;
    const version = String.fromCharCode(at.add(RECORD.version).readU8());
    if (version !== RECORD_VERSION) {
      unknown.add(version);
      continue;
    }
    const [entry, name, place] = [AT.entry, AT.name, AT.place].map((offset) => pointer(at.add(offset)));
    if (entry === undefined || name === undefined || place === undefined) continue;
    if (entry.isNull() || name.isNull() || !leadInside(module, [entry, name, place])) continue;
    marks.push({
      name: name.readUtf8String() ?? "",
      entry: addressOf(entry),
      place: place.isNull() ? null : place.readUtf8String(),
    });
  }
  return { marks, unknown: [...unknown] };
}
