/** What `hotpatch doctor` says of a machine, and of one process: the contract of its --json. */
import { z } from "zod";
import { ErrorCode } from "./error.js";
import { Pid } from "./ids.js";

export const DoctorCheck = z.object({
  /** What was looked at, in a word or two. */
  about: z.string(),
  ok: z.boolean(),
  /** Whether nothing works without it; otherwise something works less well. */
  needed: z.boolean(),
  /** What was found. */
  says: z.string(),
  /** null when all is well. */
  cure: z.string().nullable(),
  /** The code with which attach or spawn would refuse; null where they would not. */
  code: ErrorCode.nullable(),
});
export type DoctorCheck = z.infer<typeof DoctorCheck>;

export const DoctorReport = z.object({
  /** Whether all that is needed is there. */
  ok: z.boolean(),
  pid: Pid.nullable(),
  checks: z.array(DoctorCheck),
});
export type DoctorReport = z.infer<typeof DoctorReport>;
