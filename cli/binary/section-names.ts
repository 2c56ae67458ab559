/**
 * The section names of an ELF64 file, reading only its tables: a few hundred bytes of a library of any size.
 * Must not do I/O: the caller reads. Source: System V gABI ch. 4, Elf64_Ehdr and Elf64_Shdr.
 */

/** Bytes `offset` to `offset + length` of the file, fewer at its end. */
export type Read = (offset: number, length: number) => Buffer;

const MAGIC = 0x464c457f;
const ELFCLASS64 = 2;
const HEADER = 64;
const SECTION = 64;
/** More than any library has; files that claim more are not read. */
const MOST_SECTIONS = 4096;
const MOST_BYTES = 1024 * 1024;

/** Empty if it is not an ELF64 file, has no sections or is truncated. */
export function sectionNames(read: Read): string[] {
  const header = read(0, HEADER);
  if (header.length < HEADER || header.readUInt32LE(0) !== MAGIC || header[4] !== ELFCLASS64) return [];
  const [count, namesIndex] = [header.readUInt16LE(60), header.readUInt16LE(62)];
  if (count > MOST_SECTIONS || namesIndex >= count) return [];
  const sections = read(Number(header.readBigUInt64LE(40)), count * SECTION);
  if (sections.length < count * SECTION) return [];
  const names = read(
    Number(sections.readBigUInt64LE(namesIndex * SECTION + 24)),
    Math.min(MOST_BYTES, Number(sections.readBigUInt64LE(namesIndex * SECTION + 32))),
  );
  return Array.from({ length: count }, (_, i) => {
    const start = sections.readUInt32LE(i * SECTION);
    const end = names.indexOf(0, start);
    return start >= names.length ? "" : names.toString("latin1", start, end < 0 ? names.length : end);
  });
}
