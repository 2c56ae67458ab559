/**
 * Expands `$ORIGIN` in a copy's run path: it means the folder of the loaded file, and a copy lies in another folder
 * than its library. Pure over bytes. The longer text goes into a new string table at the end of the file, mapped by
 * reusing a program header that only tools read (a PT_NOTE), but not that of the control-flow properties, which the
 * loader reads.
 * Source: ld.so(8), "Dynamic string tokens"; gABI ch. 5, Elf64_Phdr and Elf64_Dyn.
 */

import {
  DT_NULL,
  DT_RPATH,
  DT_RUNPATH,
  DT_STRSZ,
  DT_STRTAB,
  PF_R,
  PT_DYNAMIC,
  PT_GNU_PROPERTY,
  PT_LOAD,
  PT_NOTE,
} from "../../schemas/elf.js";
import type { Elf } from "./elf.js";
import { SEGMENT_SIZE } from "./elf-tables.js";

/** Elf64_Ehdr.e_phoff. */
const PHDRS_AT = 32;
const PAGE = 4096;
const ORIGIN = /\$(?:ORIGIN\b|\{ORIGIN\})/;

const pageAlign = (value: number): number => Math.ceil(value / PAGE) * PAGE;

/**
 * Expands `$ORIGIN` in a search path for each folder in turn, other entries once; null if a folder cannot be expressed.
 */
export function expandOrigin(path: string, folders: readonly string[]): string | null {
  if (folders.some((folder) => /[:$]/.test(folder))) return null;
  const places = path.split(":").flatMap((place) => {
    if (!ORIGIN.test(place)) return [place];
    return folders.map((folder) => place.replace(new RegExp(ORIGIN, "g"), folder));
  });
  return [...new Set(places)].join(":");
}

/**
 * The copy with its library's folders in place of `$ORIGIN`.
 * @param bytes of the copy so far
 * @param elf of the library it was made from
 * @param folders of the library, as the target sees them
 * @returns `bytes` themselves if there is nothing to expand, or the file has no header to spare
 */
export function settleOrigin(bytes: Buffer, elf: Elf, folders: readonly string[]): Buffer {
  const entries = dynamicEntries(elf);
  const strings = elf.dynamic?.strings() ?? null;
  const spare = spareHeader(elf);
  if (strings === null || spare === null || folders.length === 0) return bytes;
  const texts = expandedPaths(elf, entries, folders);
  if (texts.length === 0) return bytes;

  const offset = pageAlign(bytes.length);
  const address = addressBehind(elf);
  const old = bytes.subarray(strings.offset, strings.offset + strings.size);
  const table = Buffer.concat([old, ...texts.map((one) => one.text)]);
  const copy = Buffer.concat([bytes, Buffer.alloc(offset - bytes.length), table]);
  let index = old.length;
  for (const { at, text } of texts) {
    copy.writeBigUInt64LE(BigInt(index), at + 8);
    index += text.length;
  }
  for (const { tag, at } of entries) {
    if (tag === DT_STRTAB) copy.writeBigUInt64LE(BigInt(address), at + 8);
    if (tag === DT_STRSZ) copy.writeBigUInt64LE(BigInt(table.length), at + 8);
  }
  putHeader(copy, elf, loadHeader(offset, address, table.length), spare);
  return copy;
}

/** An entry of .dynamic, and its place in the file. */
interface DynamicEntry {
  readonly tag: number;
  readonly value: number;
  readonly at: number;
}

function dynamicEntries(elf: Elf): DynamicEntry[] {
  const segment = elf.segments.find((one) => one.type === PT_DYNAMIC);
  const start = segment === undefined ? null : elf.fileOffsetOf(segment.addr);
  if (segment === undefined || start === null) return [];
  const entries = [];
  for (let at = start; at + 16 <= start + segment.fileSize; at += 16) {
    const tag = elf.bytes.u64(at);
    if (tag === DT_NULL) break;
    entries.push({ tag, value: elf.bytes.u64(at + 8), at });
  }
  return entries;
}

/** The search paths that have `$ORIGIN` in them, expanded, each with the place of its entry. */
function expandedPaths(
  elf: Elf,
  entries: readonly DynamicEntry[],
  folders: readonly string[],
): { readonly at: number; readonly text: Buffer }[] {
  return entries.flatMap(({ tag, value, at }) => {
    if (tag !== DT_RPATH && tag !== DT_RUNPATH) return [];
    const path = elf.dynamic?.text(value, "DT_RUNPATH") ?? "";
    const expanded = ORIGIN.test(path) ? expandOrigin(path, folders) : null;
    return expanded === null ? [] : [{ at, text: Buffer.from(`${expanded}\0`) }];
  });
}

/** The first page behind all that is loaded. */
function addressBehind(elf: Elf): number {
  const ends = elf.segments.filter((one) => one.type === PT_LOAD).map((one) => one.addr + one.memSize);
  return pageAlign(Math.max(...ends));
}

/** An Elf64_Phdr that has `size` bytes of the file loaded to be read. */
function loadHeader(offset: number, address: number, size: number): Buffer {
  const header = Buffer.alloc(SEGMENT_SIZE);
  header.writeUInt32LE(PT_LOAD, 0);
  header.writeUInt32LE(PF_R, 4);
  for (const [i, value] of [offset, address, address, size, size, PAGE].entries())
    header.writeBigUInt64LE(BigInt(value), 8 + 8 * i);
  return header;
}

/** Index of a program header that only tools read. */
function spareHeader(elf: Elf): number | null {
  const property = elf.segments.find((one) => one.type === PT_GNU_PROPERTY);
  const index = elf.segments.findLastIndex((one) => one.type === PT_NOTE && one.offset !== property?.offset);
  return index < 0 ? null : index;
}

/** Replaces the spare one, but after all PT_LOAD headers: the loader expects them in address order. */
function putHeader(copy: Buffer, elf: Elf, header: Buffer, spare: number): void {
  const at = (index: number) => elf.bytes.u64(PHDRS_AT) + index * SEGMENT_SIZE;
  const last = elf.segments.findLastIndex((one) => one.type === PT_LOAD);
  if (spare < last) copy.copyWithin(at(spare), at(spare + 1), at(last + 1));
  header.copy(copy, at(Math.max(spare, last)));
}
