/** What `hotpatch doctor --json` says about a machine and a process: a contract. */
import { z } from "zod";
import { ErrorCode } from "./error.js";
import { Pid } from "./ids.js";

export const DoctorCheck = z.object({
  /** What was checked, in a word or two. */
  about: z.string(),
  ok: z.boolean(),
  /** Whether nothing works without it; otherwise something works less well. */
  needed: z.boolean(),
  /** What was found. */
  says: z.string(),
  /** null if all is well. */
  cure: z.string().nullable(),
  /** The code with which attach or spawn would refuse; null if they would not. */
  code: ErrorCode.nullable(),
});
export type DoctorCheck = z.infer<typeof DoctorCheck>;

export const DoctorReport = z.object({
  /** Whether everything needed is present. */
  ok: z.boolean(),
  pid: Pid.nullable(),
  checks: z.array(DoctorCheck),
});
export type DoctorReport = z.infer<typeof DoctorReport>;
