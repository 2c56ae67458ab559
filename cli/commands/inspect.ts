/** `hotpatch inspect`: what a library file offers, and what an edit will not reach. Touches no process. */
import { HOOKS } from "../../schemas/abi.js";
import type { LibraryReport } from "../../schemas/library-report.js";
import { tellApart, whyAmbiguous } from "../../schemas/names.js";
import { type Elf, ElfError, validateLibrary } from "../binary/elf.js";
import { SHN_UNDEF, STB_LOCAL, STT_OBJECT } from "../binary/elf-constants.js";
import { switchHooks, writableExports } from "../binary/exports.js";
import { readMarks } from "../binary/marks.js";
import { isPe, readPe } from "../binary/pe.js";
import { readState, type StateRecord } from "../binary/state.js";
import { artifactInvalid, HotpatchError, unreadableFile } from "../errors.js";
import { demangle } from "../library/demangle.js";
import { Chooser } from "../library/unmarked.js";
import type { Choice } from "../steps/inspect.js";
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
    throw new HotpatchError(unreadableFile(path, error instanceof Error ? error.message : String(error)), error);
  }
  try {
    return isPe(bytes) ? inspectPe(path, bytes) : inspectElf(path, validateLibrary(bytes), globs);
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    throw new HotpatchError(unfitFile(path, bytes, error, NOTHING_TOUCHED), error);
  }
}

function inspectElf(path: string, elf: Elf, globs: readonly string[]): LibraryReport {
  const marks = readMarks(elf);
  const state = readState(elf);
  const hooks = switchHooks(elf);
  const { unique, ambiguous } = tellApart([...marks.functions]);
  const choice = new Chooser(globs).choose(elf, marks, new Set());
  const functions = [
    ...[...unique].map(([name, { reason }]) => ({ name, reason })),
    ...[...ambiguous].map(([name, twins]) => ({ name, reason: whyAmbiguous(twins) })),
    ...choice.functions.map(({ name }) => ({ name, reason: null })),
    ...choice.refused.map(({ name, reason, cure }) => ({
      name,
      reason: cure === undefined ? reason : `${reason} (cure: ${cure})`,
    })),
  ];
  const debugInfo = elf.sections.some((one) => /^\.z?debug_info$/.test(one.name));
  return {
    path,
    format: "ELF",
    soname: elf.soname,
    buildId: elf.buildId,
    debugInfo,
    flag: marks.flags.length > 0,
    functions: described(functions),
    state: state.map(({ name, type, size, align }) => ({ name, type, size, align })),
    hooks: { before: hooks.before !== null, after: hooks.after !== null },
    notes: [
      ...noteMarks(marks.functions.length + choice.functions.length, marks.unnamedBytes),
      ...noteUnmarked(choice.functions),
      ...(debugInfo ? [] : [NO_DEBUG_INFO]),
      ...noteData(elf, state),
      ...noteVtables(elf),
      ...noteTls(elf),
    ],
  };
}

function inspectPe(path: string, bytes: Buffer): LibraryReport {
  const { functions, state, exports, flags, codeBytes, hasDebugInfo } = readPe(bytes);
  return {
    path,
    format: "PE",
    soname: null,
    buildId: null,
    debugInfo: hasDebugInfo,
    flag: flags > 0,
    functions: described(functions.map(({ symbol, reason }) => ({ name: symbol, reason }))),
    state: state.map(({ name, type, size, align }) => ({ name, type, size, align })),
    hooks: { before: exports.has(HOOKS.before), after: exports.has(HOOKS.after) },
    notes: [
      { what: "libraries for Windows can be inspected only", cure: "live patching works on Linux x86_64" },
      ...noteMarks(functions.length, functions.length === 0 ? codeBytes : 0),
    ],
  };
}

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
