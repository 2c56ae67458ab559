/**
 * Step: find the debug information of a library, and read the layouts of its marks. The only step that opens files
 * other than the artifact. Never fails: whatever is missing becomes the reason why nothing is known.
 * Source: gdb's manual, "Separate Debug Files"; .gnu_debuglink is a name, padding to 4 bytes, and the CRC-32 of the
 * file.
 */
import { basename, dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { ENTRY_SIZE } from "../../schemas/abi.js";
import { nothingKnown, readLayouts } from "../binary/dwarf/read.js";
import { DebugSections } from "../binary/dwarf/sections.js";
import { type Elf, ElfError, readElf } from "../binary/elf.js";
import { uniqueAmong } from "../binary/exports.js";
import type { Layouts } from "../layout/type.js";
import { readWhole } from "../system/file-identity.js";
import type { Inspected } from "./inspect.js";

const SYSTEM_FOLDER = "/usr/lib/debug";

/** @param path where the artifact, or what the host loaded, is or was: the search for other files starts there */
export function layoutsOf(artifact: Inspected, path: string): Layouts {
  const { elf, entries, state, exports } = artifact;
  const functions = new Map([...entries].map(([name, entry]) => [name, placesOf(elf, entry)]));
  const storage = new Map([
    ...[...uniqueAmong(exports)].map(([name, { address }]) => [name, [address]] as const),
    ...state.map((variable) => [variable.name, [variable.storage]] as const),
  ]);
  const debug = new DebugSections(elf).has("info") ? elf : separate(elf, path);
  if (debug === null) return nothingKnown(functions.keys(), storage.keys(), missing(elf));
  return { ...readLayouts(debug, path, functions, storage, open), isAlone: aloneIn(artifact) };
}

/** Whether a function's code uses nothing but its arguments. */
function aloneIn({ elf, marks, choice }: Inspected): (name: string) => boolean {
  const functions = new Map([
    ...choice.functions.map(({ name, offset, size }) => [name, { value: offset, size }] as const),
    ...marks.functions.map((one) => [one.name, one] as const),
  ]);
  return (name) => {
    const { value = 0, size = 0 } = functions.get(name) ?? {};
    const start = size === 0 ? null : elf.fileOffsetOf(value);
    return start !== null && !elf.arch.reachesOut(elf.bytes.buffer.subarray(start, start + size));
  };
}

/** Where the debug information may describe a function: at its entry, or at the entry's jump target. */
function placesOf(elf: Elf, entry: number): number[] {
  const at = elf.fileOffsetOf(entry + ENTRY_SIZE);
  // So a Rust mark's entry reaches the function.
  const target = at === null ? null : elf.arch.jumpTarget(elf.bytes.buffer.subarray(at), 0);
  return target === null ? [entry] : [entry, entry + ENTRY_SIZE + target];
}

const missing = (elf: Elf): string =>
  linkOf(elf) === null
    ? "it has no debug information: build with -g"
    : `its debug information is in ${linkOf(elf)?.name ?? "another file"}, which was not found`;

/** The debug file of a stripped library; null if there is none. */
function separate(elf: Elf, path: string): Elf | null {
  const { buildId } = elf;
  if (buildId !== null && buildId.length > 2) {
    const found = openElf(join(SYSTEM_FOLDER, ".build-id", buildId.slice(0, 2), `${buildId.slice(2)}.debug`));
    if (found?.elf.buildId === buildId) return found.elf;
  }
  const link = linkOf(elf);
  if (link === null) return null;
  const folder = dirname(path);
  for (const place of [folder, join(folder, ".debug"), join(SYSTEM_FOLDER, folder)]) {
    const found = openElf(join(place, basename(link.name)));
    if (found === null) continue;
    // Another build's file has the same name: only one that demonstrably belongs to the library is used.
    const belongs = buildId !== null ? found.elf.buildId === buildId : crc32(found.bytes) === link.crc;
    if (belongs) return found.elf;
  }
  return null;
}

function linkOf(elf: Elf): { readonly name: string; readonly crc: number } | null {
  const section = elf.sections.find((one) => one.name === ".gnu_debuglink");
  if (section === undefined) return null;
  const bytes = elf.contentsOf(section);
  const end = bytes.indexOf(0);
  if (end <= 0 || bytes.length < 8) return null;
  return { name: bytes.toString("utf8", 0, end), crc: bytes.readUInt32LE(bytes.length - 4) };
}

function open(path: string): Buffer | null {
  try {
    return readWhole(path);
  } catch {
    return null; // missing or unreadable: the reader says what is missing
  }
}

function openElf(path: string): { readonly elf: Elf; readonly bytes: Buffer } | null {
  const bytes = open(path);
  if (bytes === null) return null;
  try {
    return { elf: readElf(bytes), bytes };
  } catch (error) {
    if (error instanceof ElfError) return null; // not a debug file for us
    throw error;
  }
}
