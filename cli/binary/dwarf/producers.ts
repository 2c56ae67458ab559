/**
 * How each source file of a library was compiled, from the debug information: producer, optimisation as far as it
 * shows, and the resulting code. Pure. A file without debug information has no units; an unreadable one covers no code.
 * Split debug information is not followed: its skeletons have no producer.
 * Source: DWARF 5, 3.1.1; gcc puts its flags into DW_AT_producer, clang does not.
 */

import type { Elf } from "../elf.js";
import { type Range, rangesOf } from "./addresses.js";
import { AT } from "./constants.js";
import { orNothing } from "./damage.js";
import { Die, rootOf } from "./die.js";
import { DebugSections } from "./sections.js";
import { InfoSection, type Unit } from "./unit.js";
import { indexOf } from "./unit-index.js";

/** One compiled source file. */
export interface Compiled {
  /** "GNU C17 12.2.0 ... -O2 -fPIC", "Debian clang version 14.0.6"; null if unknown. */
  readonly producer: string | null;
  /** Its code, relative to the load base. */
  readonly ranges: readonly Range[];
  /**
   * "none": as clang -O0 describes functions; "some": as clang describes optimised ones; "untold": line tables only.
   */
  readonly optimisation: () => "none" | "some" | "untold";
}

/** In the order of the file. Never throws for bad bytes. */
export function compiledIn(elf: Elf): readonly Compiled[] {
  return orNothing(() => {
    const sections = new DebugSections(elf);
    const { units } = new InfoSection(sections, "info", sections.get("info"));
    return units.flatMap((unit) => orNothing(() => [compiled(unit)]));
  });
}

function compiled(unit: Unit): Compiled {
  const root = rootOf(unit);
  return { producer: root.text(AT.producer) ?? null, ranges: rangesOf(root), optimisation: () => optimisationOf(unit) };
}

/**
 * clang 14 states for optimised functions, and only those, that all their calls are recorded (DW_AT_call_all_calls; its
 * GNU form in version 4), but not when it writes line tables only: then no function has a frame base either.
 */
function optimisationOf(unit: Unit): "none" | "some" | "untold" {
  return (
    orNothing((): ("none" | "some")[] => {
      const functions = indexOf(unit).functions.map((offset) => new Die(unit, offset));
      if (functions.some((one) => one.has(AT.call_all_calls) || one.has(AT.GNU_all_call_sites))) return ["some"];
      return functions.some((one) => one.has(AT.frame_base)) ? ["none"] : [];
    })[0] ?? "untold"
  );
}
