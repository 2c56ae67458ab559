/**
 * Whose definition a name resolves to in generation 0: this decides which references of a copy are bound to the copy.
 * Only what generation 0 takes from itself is bound; a host's override of a weak default remains the host's.
 */
import { readlinkSync } from "node:fs";
import { libraryName, pathAsItWas } from "../../schemas/names.js";
import { readElf } from "../binary/elf.js";
import { copyRelocations, definesSymbol } from "../binary/host.js";
import { isSameFile, readWhole } from "../system/file-identity.js";
import { fileViewOf } from "../system/mount-namespace.js";
import { mappingsOf } from "../system/proc.js";

interface Host {
  /** Whether a module's path, as the target sees it, is the executable's. */
  is(path: string): boolean;
  /** Whether the executable itself defines the name. */
  supplies(name: string): boolean;
}

/**
 * @param provided the agent's answer per name: "own", "none" or the path of the supplying module
 * @returns the names to bind to the copy
 */
export function providersOf(pid: number, names: readonly string[], provided: readonly string[]): Set<string> {
  const own = new Set<string>();
  let host: Host | undefined;
  names.forEach((name, i) => {
    const provider = provided[i];
    if (provider === "own" || provider === "none") own.add(name);
    else {
      host ??= readHost(pid);
      // To the loader, the executable "supplies" even what it only refers to: its own PLT stub for a function, its COPY
      // of an object's initial bytes. Neither is a definition.
      if (provider !== undefined && host.is(provider) && !host.supplies(name)) own.add(name);
    }
  });
  return own;
}

/** Unreadable: no path matches the executable, so the loader's answer stands. */
const UNKNOWN: Host = { is: () => false, supplies: () => true };

function readHost(pid: number): Host {
  try {
    const exe = `/proc/${pid}/exe`;
    const elf = readElf(readWhole(exe));
    const copied = copyRelocations(elf);
    const view = fileViewOf(pid);
    return {
      is: (path) => readlinkSync(exe) === path || isSameFile(view.here(path), exe),
      supplies: (name) => definesSymbol(elf, name) && !copied.has(name),
    };
  } catch {
    return UNKNOWN;
  }
}

/**
 * File names of the target's libraries that define a name the loader could not find for a copy; copies count as their
 * library.
 */
export function definersOf(pid: number, name: string): string[] {
  const view = fileViewOf(pid);
  const code = mappingsOf(pid).filter(({ executable }) => executable);
  const paths = new Set(code.map(({ path }) => pathAsItWas(path)));
  return [
    ...new Set([...paths].filter((path) => defines(view.here(path), name)).map((path) => libraryName(path).name)),
  ];
}

function defines(path: string, name: string): boolean {
  try {
    return definesSymbol(readElf(readWhole(path)), name);
  } catch {
    return false; // deleted, or not ours to read
  }
}
