/** `hotpatch inspect`: what a library file offers, and what an edit will not reach. Touches no process. */

import { SHN_UNDEF, STB_LOCAL, STT_OBJECT } from "../../schemas/elf.js";
import type { LibraryReport } from "../../schemas/library-report.js";
import { type Elf, ElfError } from "../binary/elf.js";
import { writableExports } from "../binary/exports.js";
import { type Image, openImage } from "../binary/image.js";
import type { Marks } from "../binary/marks.js";
import type { StateRecord } from "../binary/state.js";
import { artifactInvalid, HotpatchError, unreadableFile, wordsOf } from "../errors.js";
import { demangle } from "../library/demangle.js";
import { evaluatedMarks } from "../library/evaluated.js";
import { Chooser } from "../library/unmarked.js";
import { type Choice, NO_CHOICE } from "../steps/inspect.js";
import { unfitFile } from "../steps/unfit.js";
import { NoLibraryFile, readGiven } from "../system/file-identity.js";

type Note = LibraryReport["notes"][number];
const NOTHING_TOUCHED = "no process was touched";
/** Names in one note. */
const SHOWN = 6;

/**
 * @param globs unmarked functions to report on as well
 * @throws HotpatchError if there is no such file, or it is not a readable library
 */
export function inspectLibrary(path: string, globs: readonly string[] = []): LibraryReport {
  let bytes: Buffer;
  try {
    bytes = readGiven(path);
  } catch (error) {
    if (error instanceof NoLibraryFile)
      throw new HotpatchError(artifactInvalid(path, error.message, NOTHING_TOUCHED), error);
    throw new HotpatchError(unreadableFile(path, wordsOf(error)), error);
  }
  try {
    return reportOf(path, openImage(bytes), globs);
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    throw new HotpatchError(unfitFile(path, bytes, error, NOTHING_TOUCHED), error);
  }
}

function reportOf(path: string, image: Image, globs: readonly string[]): LibraryReport {
  const { format, soname, buildId, hasDebugInfo, hasFlag, hooks, elf } = image;
  const choice = elf === null ? NO_CHOICE : new Chooser(globs).choose(elf.elf, elf.marks, new Set());
  const functions = [
    ...image.functions,
    ...choice.functions.map(({ name }) => ({ name, reason: null })),
    ...choice.refused.map(({ name, reason, cure }) => ({
      name,
      reason: cure === undefined ? reason : `${reason} (cure: ${cure})`,
    })),
  ];
  return {
    path,
    format,
    soname,
    buildId,
    debugInfo: hasDebugInfo,
    flag: hasFlag,
    functions: described(functions),
    state: image.state.map(({ name, type, size, align }) => ({ name, type, size, align })),
    hooks,
    notes: [
      ...(elf === null ? [INSPECTED_ONLY] : []),
      ...noteMarks(image.functions.length + choice.functions.length, image.unnamedBytes),
      ...(elf === null ? [] : [...noteEvaluated(elf.elf, elf.marks), ...notesOfElf(elf.elf, image, choice)]),
    ],
  };
}

const INSPECTED_ONLY: Note = {
  what: "libraries for Windows can be inspected only",
  cure: "live patching works on Linux x86_64",
};

const notesOfElf = (elf: Elf, { hasDebugInfo, state }: Image, choice: Choice): Note[] => [
  ...noteUnmarked(choice.functions),
  ...noteDrawnIn(choice.drawnIn),
  ...(hasDebugInfo ? [] : [NO_DEBUG_INFO]),
  ...noteData(elf, state),
  ...noteVtables(elf),
  ...noteTls(elf),
];

function described(functions: readonly { readonly name: string; readonly reason: string | null }[]) {
  const names = demangle(functions.map((one) => one.name));
  return functions.map(({ name, reason }, i) => ({
    name,
    demangled: names[i] ?? name,
    patchable: reason === null,
    reason,
  }));
}

const NO_DEBUG_INFO: Note = {
  what: "no debug information: a changed struct cannot be detected",
  cure: "build with -g (it costs nothing at run time)",
};

function noteMarks(functions: number, unnamedBytes: number): Note[] {
  if (unnamedBytes > 0)
    return [
      {
        what: `${unnamedBytes} bytes of marked code have no symbol: the library is stripped, and static or hidden functions cannot be found`,
        cure: "build without -s and strip, or mark exported functions only",
      },
    ];
  if (functions > 0) return [];
  return [
    { what: "no marked functions", cure: 'put HOTPATCH before them (#include "hotpatch.h"), or #[hotpatch] in Rust' },
  ];
}

function noteEvaluated(elf: Elf, marks: Marks): Note[] {
  const names = evaluatedMarks(elf, marks);
  if (names.length === 0) return [];
  return [
    {
      what: `constexpr: what the compiler has evaluated does not follow an edit: ${list(demangle(names))}`,
      cure: "leave out constexpr during development",
    },
  ];
}

function noteUnmarked(functions: Choice["functions"]): Note[] {
  const doubtful = functions.filter((one) => one.suspects.length > 0).map((one) => one.name);
  if (functions.length === 0) return [];
  const what = `${functions.length} unmarked functions: threads are stopped briefly while their entries are written`;
  const cure = "mark functions that you edit often: their entries can be replaced at any time";
  if (doubtful.length === 0) return [{ what, cure }];
  return [
    { what, cure },
    {
      what: `possible branches back into their first bytes are checked again in the target: ${list(demangle(doubtful))}`,
      cure: "mark those that the target refuses",
    },
  ];
}

function noteDrawnIn(drawnIn: Choice["drawnIn"]): Note[] {
  if (drawnIn.size === 0) return [];
  const names = [...drawnIn].map(([name, requested]) => {
    const [shown, requestedAs] = demangle([name, requested]);
    return `${shown} with ${requestedAs}`;
  });
  return [
    {
      what: `chosen together, because they are names of one entry: ${list(names)}`,
      cure: "nothing needs to be done; a later build in which they differ is refused",
    },
  ];
}

const list = (names: readonly string[]): string =>
  names.slice(0, SHOWN).join(", ") + (names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "");

/** What compilers, Rust's standard library and hotpatch.h put into a library by themselves. */
const NOT_THE_AUTHORS =
  /^(completed|__|guard variable for |hotpatch_(storage|state|flag)_|DW\.ref\.|_rust_extern|<?(std|core|alloc|panic_unwind|memchr)(::|\[))/;

function noteData(elf: Elf, state: readonly StateRecord[]): Note[] {
  const records = new Set(elf.sections.filter((one) => one.name.startsWith("hp_")).map((one) => one.index));
  const kept = new Set(state.map((one) => one.storage));
  const locals = elf
    .symbols()
    .filter((one) => one.bind === STB_LOCAL && one.type === STT_OBJECT && one.size > 0 && elf.writableAt(one.value))
    .filter((one) => !records.has(one.sectionIndex) && !kept.has(one.value));
  const statics = demangle(locals.map((one) => one.name)).filter((name) => !NOT_THE_AUTHORS.test(name));
  const exported = [...writableExports(elf).keys()];
  const notes: Note[] = [];
  if (statics.length > 0)
    notes.push({
      what: `statics start afresh in each generation: ${list(statics)}`,
      cure: "declare what must survive with HOTPATCH_STATE (Rust: state!)",
    });
  if (exported.length > 0)
    notes.push({
      what: `exported variables keep generation 0's value if the host links the library, and start afresh if it opens it with RTLD_LOCAL: ${list(demangle(exported))}`,
      cure: "HOTPATCH_STATE behaves the same in both cases",
    });
  return notes;
}

function noteVtables(elf: Elf): Note[] {
  const classes = new Set(
    [...elf.dynamicSymbols(), ...elf.symbols()]
      .filter((one) => one.name.startsWith("_ZTV") && one.sectionIndex !== SHN_UNDEF)
      .map((one) => one.name),
  );
  if (classes.size === 0) return [];
  const names = demangle([...classes]).map((name) => name.replace(/^vtable for /, ""));
  return [
    {
      what: `objects created before a switch keep their vtable, and with it the old unmarked virtual methods: ${list(names)}`,
      cure: "mark the virtual methods that you want to edit",
    },
  ];
}

/**
 * Source: DF_STATIC_TLS; measured: 6 generations with 256 bytes each, then "cannot allocate memory in static TLS
 * block".
 */
function noteTls(elf: Elf): Note[] {
  if (elf.dynamic?.hasStaticTls !== true) return [];
  return [
    {
      what: "thread-local variables use the initial-exec model: the loader runs out of room for them after a few generations",
      cure: "build without -ftls-model=initial-exec",
    },
  ];
}
