/** `hotpatch inspect` for people. Pure. */
import type { LibraryReport } from "../../schemas/library-report.js";
import { printable } from "../text/printable.js";

/**
 * @param raw also show mangled names (-v)
 * @param what kind of functions these are
 */
export function reportLines(found: LibraryReport, raw: boolean, what = "marked functions"): string[] {
  const { functions, state, hooks, notes } = found;
  const able = functions.filter((one) => one.patchable).length;
  const both = [hooks.before && "before", hooks.after && "after"].filter((one) => one !== false).join(" and ");
  return [
    `${found.path}: ${found.format}, ${able} of ${functions.length} ${what} can be patched`,
    `  name      ${found.soname ?? "(no SONAME: matched by file name)"}`,
    `  Build-ID  ${found.buildId ?? "none"}`,
    `  debug     ${found.debugInfo ? "yes" : "no"}`,
    `  flag      ${found.flag ? "yes: hotpatch_is_patched() works" : "no"}`,
    `  hooks     ${both === "" ? "none" : `${both} switch`}`,
    ...(functions.length > 0 ? ["functions"] : []),
    ...functions.flatMap(({ name, demangled, patchable, reason }) => [
      `  ${patchable ? "ok" : "--"}  ${demangled}${reason === null ? "" : `: ${reason}`}`,
      ...(raw && name !== demangled ? [`      ${name}`] : []),
    ]),
    ...(state.length > 0 ? ["state"] : []),
    ...state.map(({ name, type, size, align }) => `  ${type} ${name}: ${size} bytes, aligned to ${align}`),
    ...(notes.length > 0 ? ["notes"] : []),
    ...notes.flatMap(({ what, cure }) => [`  ${what}`, `    cure: ${cure}`]),
  ].map(printable);
}
