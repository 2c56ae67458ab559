/** What `hotpatch inspect` says of one library: the contract of its --json. */
import { z } from "zod";
import { SymbolName } from "./ids.js";

export const LibraryReport = z.object({
  path: z.string(),
  format: z.enum(["ELF", "PE"]),
  soname: z.string().nullable(),
  buildId: z.string().nullable(),
  /** Whether the layout of live data can be compared with that of another build. */
  debugInfo: z.boolean(),
  /** hotpatch_is_patched() works. */
  flag: z.boolean(),
  functions: z.array(
    z.object({
      name: SymbolName,
      /** For people; the same as `name` where nothing demangles it. */
      demangled: z.string(),
      patchable: z.boolean(),
      reason: z.string().nullable(),
    }),
  ),
  /** `size` and `align` in bytes. */
  state: z.array(z.object({ name: z.string(), type: z.string(), size: z.number(), align: z.number() })),
  hooks: z.object({ before: z.boolean(), after: z.boolean() }),
  /** What will not follow an edit, or hinders it, and what cures it. */
  notes: z.array(z.object({ what: z.string(), cure: z.string() })),
});
export type LibraryReport = z.infer<typeof LibraryReport>;
