/** `hotpatch diff`: judges two files as a session would. Touches no process. */
import { basename } from "node:path";
import type { StateVariable } from "../../schemas/agent.js";
import type { DiffReport } from "../../schemas/diff-report.js";
import { uniqueAmong } from "../binary/exports.js";
import type { StateRecord } from "../binary/state.js";
import { artifactInvalid, HotpatchError, unreadableFile, wordsOf } from "../errors.js";
import { causesOf } from "../evidence/causes.js";
import { LayoutEvidence } from "../evidence/dwarf.js";
import { compareRecords, recorded } from "../evidence/record.js";
import { type StateVerdict, strictest } from "../evidence/verdict.js";
import { aliasesOf, partedAliases } from "../library/aliases.js";
import { demangle } from "../library/demangle.js";
import { withOverrides } from "../library/overrides.js";
import { whatIsReached } from "../library/reached.js";
import { Chooser } from "../library/unmarked.js";
import { changeError, refusedMark, stateError } from "../session/refusals.js";
import { compare } from "../steps/compare.js";
import { layoutsOf } from "../steps/debug-info.js";
import { type Choose, type Inspected, inspect } from "../steps/inspect.js";
import { changedTypesOfState, claimState, firstTold, grownExports } from "../steps/state.js";
import { NoLibraryFile, readGiven } from "../system/file-identity.js";

const NOTHING_TOUCHED = "no process was touched";

/**
 * @param globs functions without marks that are judged too, whether or not a session could patch them
 * @throws HotpatchError if one of the files does not exist, or is not a library with something to judge
 */
export function diffLibraries(oldPath: string, newPath: string, globs: readonly string[] = []): DiffReport {
  const chooser = new Chooser(globs);
  const choose: Choose | null = chooser.asked ? (elf, marks) => chooser.every(elf, marks) : null;
  const [before, after] = [read(oldPath, choose), read(newPath, choose)];
  const evidence = new LayoutEvidence(layoutsOf(after, newPath));
  const layouts = layoutsOf(before, oldPath);
  const known = [...before.code.keys()];
  const both = known.filter((name) => after.code.has(name));
  const compared = compare({
    known,
    before: before.code,
    after: after.code,
    refused: [...after.refused, ...partedAliases(aliasesOf(before.entries), after.entries, after.code)],
    verdicts: strictest(
      evidence.functions(
        both,
        () => layouts,
        (name) => before.code.get(name) === after.code.get(name),
      ),
      compareRecords(recorded(before.marks.records), recorded(after.marks.records)),
    ),
    reached: whatIsReached(before.meanings, after.meanings),
  });
  const told = withOverrides(compared.functions, before.virtuals, after.virtuals);
  const names = demangle(compared.functions.map(({ name }) => name));
  const functions = told.map((one, i) => ({ ...one, demangled: names[i] ?? one.name }));
  const byLayout = (name: string) => evidence.state(name, layouts);
  const state = [...diffState(before, after, byLayout), ...diffUnique(before, after, byLayout)];
  return {
    old: { path: oldPath, buildId: before.buildId },
    new: { path: newPath, buildId: after.buildId },
    refused: whyRefused(compared, state, newPath),
    functions,
    changes: causesOf(compared.changes).map(({ change, functions }) => ({ change, functions: [...functions] })),
    state,
    notes: grownExports(shared(before), shared(after), ALL_SHARED).map(
      (change) => `${change}: refused if the host links the library or opens it with RTLD_GLOBAL`,
    ),
  };
}

/** Assumes that the host shares every exported variable: the files do not tell. */
const ALL_SHARED: readonly string[] = [];

function read(path: string, choose: Choose | null): Inspected {
  let bytes: Buffer;
  try {
    bytes = readGiven(path);
  } catch (error) {
    if (error instanceof NoLibraryFile)
      throw new HotpatchError(artifactInvalid(path, error.message, NOTHING_TOUCHED), error);
    throw new HotpatchError(unreadableFile(path, wordsOf(error)), error);
  }
  const inspection = inspect(path, basename(path), bytes, NOTHING_TOUCHED, choose);
  if (inspection.kind !== "fit") throw new HotpatchError(inspection.report);
  return inspection.artifact;
}

function diffState(before: Inspected, after: Inspected, byLayout: (name: string) => StateVerdict): DiffReport["state"] {
  const names = new Set([...before.state, ...after.state].map(({ name }) => name));
  return [...names].map((name) => {
    const [was, is] = [before, after].map(({ state }) => state.find((one) => one.name === name));
    if (was === undefined) return { name, status: "new", changes: [], check: "unchecked" };
    if (is === undefined) return { name, status: "missing", changes: [], check: "unchecked" };
    const claim = claimState([liveAs(was)], [is]);
    const verdict = byLayout(name);
    const changes =
      claim.kind === "changed"
        ? [...claim.differences]
        : firstTold(
            verdict.changes,
            changedTypesOfState([liveAs(was)], [is], before.marks.records.types, after.marks.records.types),
          );
    return variable(name, changes, verdict);
  });
}

/** A persistent variable of both builds. */
function variable(
  name: string,
  changes: readonly string[],
  { check, remarks = [], reason }: StateVerdict,
): DiffReport["state"][number] {
  const told = [...remarks, ...(reason === undefined ? [] : [reason])].join("; ");
  const status = changes.length > 0 ? "changed" : "kept";
  return { name, status, changes: [...changes], check, ...(told !== "" && { reason: told }) };
}

/** Variables that the loader shares among all copies, in both builds: they live on as persistent ones do. */
function diffUnique(
  before: Inspected,
  after: Inspected,
  byLayout: (name: string) => StateVerdict,
): DiffReport["state"] {
  const was = uniqueAmong(before.exports);
  const both = [...uniqueAmong(after.exports)].filter(([symbol]) => was.has(symbol));
  const names = demangle(both.map(([symbol]) => symbol));
  return both.map(([symbol, now], i) => {
    const name = names[i] ?? symbol;
    const verdict = byLayout(symbol);
    const grown = grownExports(was, new Map([[symbol, now]]), ALL_SHARED);
    const named = (text: string) => text.replaceAll(symbol, name);
    return variable(name, [...grown, ...verdict.changes].map(named), {
      ...verdict,
      remarks: (verdict.remarks ?? []).map(named),
    });
  });
}

/** Exported variables that copies share or not, as the host loads the library. */
const shared = ({ exports }: Inspected) => new Map([...exports].filter(([, { unique }]) => !unique));

/** A variable of the old build, as it would live in a target that runs it. */
const liveAs = ({ name, type, size, align }: StateRecord): StateVariable => ({
  name,
  type,
  size,
  align,
  address: "0x0",
});

function whyRefused(
  { fits, lost, changes }: ReturnType<typeof compare>,
  state: DiffReport["state"],
  path: string,
): DiffReport["refused"] {
  const library = { name: basename(path), loadedFrom: path, runsText: NOTHING_TOUCHED };
  const changed = state.flatMap((one) => one.changes);
  const [mark] = lost;
  if (fits && changed.length === 0) return null;
  const report =
    mark !== undefined
      ? refusedMark(mark, library)
      : fits
        ? stateError({ kind: "fits", pointers: [] }, changed, library)
        : changeError(changes, library);
  return { code: report.code, detail: report.detail };
}
