/** What `hotpatch diff --json` says about two builds: a contract. */
import { z } from "zod";
import { ErrorCode } from "./error.js";
import { Check, FunctionResult } from "./event.js";
import { SymbolName } from "./ids.js";

const Build = z.object({ path: z.string(), buildId: z.string().nullable() });

export const DiffReport = z.object({
  old: Build,
  new: Build,
  /** Why a switch from the old to the new build would be refused; null if it would not. */
  refused: z.object({ code: ErrorCode, detail: z.string() }).nullable(),
  /** As in a session's events: what the switch would do to each on its own. */
  functions: z.array(
    FunctionResult.extend({
      /** For people; the same as `name` if it cannot be demangled. */
      demangled: SymbolName,
    }),
  ),
  /** What changed in types and signatures, each once, with the names of the functions it reaches; most of them first. */
  changes: z.array(z.object({ change: z.string(), functions: z.array(SymbolName) })),
  /** Persistent variables. A `changed` one is refused. */
  state: z.array(
    z.object({
      name: z.string(),
      status: z.enum(["kept", "new", "missing", "changed"]),
      changes: z.array(z.string()),
      check: Check,
      /** What differs nevertheless, or what could not be seen. */
      reason: z.string().optional(),
    }),
  ),
  /** What depends on how the host loads the library. */
  notes: z.array(z.string()),
});
export type DiffReport = z.infer<typeof DiffReport>;
