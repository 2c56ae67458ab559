/** What compilers leave out of the debug information although the code may depend on it, and how it can be had. Pure. */
import { LANGS_CPP } from "./constants.js";

/** Who wrote a unit. */
export interface Producer {
  /** With its version and, from gcc, its options. "" if unknown. */
  readonly text: string;
  /** DW_LANG_*. */
  readonly language: number | undefined;
}

/** Of a type that is declared in a unit and described nowhere. See `opaque` in cli/layout/type.ts. */
export function whyHidden({ text, language }: Producer): { readonly hidden: string | null; readonly compiler: string } {
  // From gcc its options follow: "GNU C++17 12.2.0 -mtune=generic ...".
  const compiler = text.replace(/ -.*/, "");
  return { hidden: cureOf(text, language), compiler };
}

/** gcc's option that makes it describe every class wherever it is complete. */
const WHOLE = "-femit-class-debug-always";

function cureOf(text: string, language: number | undefined): string | null {
  const leftOut = /-femit-struct-debug-(?:baseonly|reduced|detailed)\S*/.exec(text);
  if (leftOut !== null) return `build without ${leftOut[0]}`;
  if (!LANGS_CPP.has(language ?? 0)) return null;
  // A class is described where its constructors are.
  if (/clang/.test(text)) return "build with -fstandalone-debug";
  // A class with virtual functions is described where its vtable is, and looks like any other declaration elsewhere.
  return text.includes(WHOLE) ? null : `build with ${WHOLE}`;
}
