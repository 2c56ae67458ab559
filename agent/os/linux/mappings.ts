/**
 * What this process has mapped. From /proc/self, not Process.enumerateRanges(): Frida opens /proc/PID, which is another
 * process if this one lives in a PID namespace but sees the outer one's /proc.
 */
import { pathAsItWas } from "../../../schemas/names.js";
import { type Address, pointerTo } from "../../target/address.js";
import type { Extent } from "../../target/extent.js";

export interface Mapping extends Extent {
  /** As in mprotect(2). */
  readonly protection: number;
  readonly shared: boolean;
  /** Offset of the mapping in its file, in bytes. */
  readonly offset: number;
  /** Device and inode of its file. */
  readonly file: string;
  /** Its file; without one, the kernel's name for it, or "". */
  readonly path: string;
}

/** `file` of a mapping without one. */
export const NO_FILE = "00:00 0";
const READ = 1;
const WRITE = 2;
const EXECUTE = 4;

/** A line of /proc/PID/maps. */
export interface MapsLine extends Omit<Mapping, "base"> {
  readonly start: Address;
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) (...)(.) ([0-9a-f]+) (\S+ \d+) *(.*)$/;

/** The lines of a /proc/PID/maps. Source: proc(5). Pure. */
export const parseMaps = (text: string): MapsLine[] =>
  text.split("\n").flatMap((line) => {
    const fields = LINE.exec(line);
    if (fields === null) return [];
    const [, from = "", to = "", flags = "", shared, offset = "", file = "", path = ""] = fields;
    const start = Number.parseInt(from, 16);
    return [
      {
        start,
        size: Number.parseInt(to, 16) - start,
        protection: [...flags].reduce((bits, flag, i) => bits | (flag === "-" ? 0 : 1 << i), 0),
        shared: shared === "s",
        offset: Number.parseInt(offset, 16),
        file,
        path: pathAsItWas(path).replaceAll("\\012", "\n"), // so the kernel writes a line end
      },
    ];
  });

/** In address order. Throws if there is no /proc. */
export const mappings = (): Mapping[] =>
  parseMaps(File.readAllText("/proc/self/maps")).map(({ start, ...rest }) => ({ base: pointerTo(start), ...rest }));

const which = (bits: number): Mapping[] => mappings().filter(({ protection }) => (protection & bits) === bits);
/** Mappings that can be read and executed. */
export const codeMappings = (): Mapping[] => which(READ | EXECUTE);
/** Mappings that can be read and written. */
export const dataMappings = (): Mapping[] => which(READ | WRITE);
