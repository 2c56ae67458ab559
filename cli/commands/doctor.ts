/** `hotpatch doctor`: can hotpatch work here, and may this process be patched? Runs the checks of preflight/. */
import type { DoctorCheck, DoctorReport } from "../../schemas/doctor-report.js";
import { HotpatchError } from "../errors.js";
import { openBackend } from "../frida/open.js";
import type { Fine, Lack, Problem } from "../preflight/finding.js";
import { checkTracing } from "../preflight/permission.js";
import { checkOwnPlace, checkTemp } from "../preflight/place.js";
import { targetChecks } from "../preflight/target.js";
import { checkCompiler, checkDemangler, checkNode, checkPlatform } from "../preflight/tools.js";
import { checkWatching } from "../preflight/watching.js";
import { factsOf, findProcess } from "../system/process-facts.js";
import { tryBackend } from "./doctor-trial.js";

/**
 * @param wanted pid or exact name of a process; null: the machine alone
 * @throws HotpatchError no-such-process, ambiguous-process
 */
export async function diagnose(wanted: string | null): Promise<DoctorReport> {
  const pid = wanted === null ? null : findProcess(wanted);
  const checks = [...(await machine()), ...(pid === null ? [] : await target(pid))];
  return { ok: checks.every((one) => one.ok || !one.needed), pid, checks };
}

async function machine(): Promise<DoctorCheck[]> {
  return [
    asCheck("platform", checkPlatform()),
    asCheck("node", checkNode()),
    asCheck("temporary folder", checkTemp()),
    ...(await frida()),
    asCheck("tracing", checkTracing()),
    asCheck("folder for copies", checkOwnPlace()),
    asCheck("watching", await checkWatching(process.cwd())),
    asCheck("compiler", checkCompiler()),
    asCheck("names", checkDemangler()),
  ];
}

/** Without a backend there is no trial. */
async function frida(): Promise<DoctorCheck[]> {
  try {
    const backend = await openBackend("auto");
    try {
      const found = { ok: true, says: `${backend.name}: ${backend.version}` } as const;
      return [asCheck("backend", found), asCheck("trial", await tryBackend(backend))];
    } finally {
      await backend.close();
    }
  } catch (error) {
    if (!(error instanceof HotpatchError)) throw error;
    return [asCheck("backend", { ok: false, problem: error.report })];
  }
}

async function target(pid: number): Promise<DoctorCheck[]> {
  const facts = factsOf(pid);
  if (facts === null) return []; // it has exited since it was found
  return Promise.all(targetChecks.map(async ({ about, look }) => asCheck(about, await look(facts))));
}

function asCheck(about: string, found: Fine | Problem | Lack): DoctorCheck {
  if (found.ok) return { about, ok: true, needed: true, says: found.says, cure: null, code: null };
  if ("lack" in found) {
    const { lack: says, cure, needed } = found;
    return { about, ok: false, needed, says, cure, code: null };
  }
  const { message, detail, hint, code } = found.problem;
  return { about, ok: false, needed: true, says: `${message}: ${detail}`, cure: hint, code };
}
