/** What `hotpatch inspect --json` says about a library: a contract. */
import { z } from "zod";
import { SymbolName } from "./ids.js";

export const LibraryReport = z.object({
  path: z.string(),
  format: z.enum(["ELF", "PE"]),
  soname: z.string().nullable(),
  buildId: z.string().nullable(),
  /** Whether layouts can be compared with another build's. */
  debugInfo: z.boolean(),
  /** hotpatch_is_patched() works. */
  flag: z.boolean(),
  functions: z.array(
    z.object({
      name: SymbolName,
      /** For people; the same as `name` if it cannot be demangled. */
      demangled: z.string(),
      patchable: z.boolean(),
      reason: z.string().nullable(),
    }),
  ),
  /** `size` and `align` in bytes. */
  state: z.array(z.object({ name: z.string(), type: z.string(), size: z.number(), align: z.number() })),
  hooks: z.object({ before: z.boolean(), after: z.boolean() }),
  /** What an edit will not reach, or what hinders it, and the cure. */
  notes: z.array(z.object({ what: z.string(), cure: z.string() })),
});
export type LibraryReport = z.infer<typeof LibraryReport>;
