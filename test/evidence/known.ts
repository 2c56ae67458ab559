/**
 * What the engine is known to judge wrongly, of the pairs of the tests' samples. A pair that is judged rightly has to leave
 * the list: the test says so.
 */
import type { Verdict } from "./verdict.js";

/** A fault of the engine, and the pairs that show it. */
interface Known {
  readonly verdict: Verdict;
  readonly reason: string;
  /** Their names. */
  readonly pairs: readonly string[];
}

/** Empty is the aim. */
export const KNOWN: readonly Known[] = [
  {
    verdict: "false-accept",
    reason: "what was not followed is not told: void pointers, bytes, what is opaque",
    pairs: [
      "C++: struct member, swapped, by a void pointer",
      "C++: struct member, swapped alike, by std::shared_ptr<void>",
      "Rust: Rust struct, swapped alike, by a void pointer",
      "Rust: Rust struct, swapped alike, by a pointer to bytes",
      "Rust: calling convention, extern C to sysv64 and another argument, by dyn Any",
      "Rust: Rust trait object, methods swapped behind a field",
    ],
  },
  {
    verdict: "false-accept",
    reason: "template arguments are not followed",
    pairs: [
      "C++: nested, an anonymous struct's members, by a template of a template",
      "C++: struct member, swapped alike, by std::map of unique_ptr",
      "C++: struct member, other kind, by std::unordered_map of unique_ptr",
      "C++: struct member, swapped, by std::unordered_map",
      "Rust: phantom pointer, another type behind an address, by an Option of a Box",
      "Rust: Rust struct, inserted, by a HashMap<i32, E>",
      "Rust: Rust struct, u8 to bool, by a HashMap<i32, E>",
      "Rust: Rust struct, appended, by a VecDeque<E>",
      "Rust: Rust struct, inserted, by a Vec<Box<E>>",
      "Rust: Rust struct, inserted, by a Vec<E>",
      "Rust: Rust container, HashMap's values, by a reference",
      "Rust: Rust container, HashMap's values, by an array",
      "Rust: Rust struct, other kind, by state with a Vec",
    ],
  },
  {
    verdict: "false-accept",
    reason: "gcc describes a class with a vtable only where the vtable is",
    pairs: ["C++: virtual, argument's type edited, key function in the host, by a pointer"],
  },
  {
    verdict: "false-accept",
    reason: "calling conventions and formats of numbers are not compared",
    pairs: [
      "C: calling convention, a callback becomes ms_abi (clang)",
      "C: number format, long double to __float128",
      "Rust: calling convention, fn to extern C fn, by a raw pointer",
      "Rust: calling convention, fn to extern C fn, by a reference",
    ],
  },
  {
    verdict: "false-accept",
    reason: "variables of which the loader keeps one in a process are not compared",
    pairs: ["C++: unique variable, inline, grown"],
  },
  {
    verdict: "false-refusal",
    reason: "the record of a Rust function has its types as they are written",
    pairs: ["Rust: signature, & to *const", "Rust: signature, alias of a container"],
  },
];
