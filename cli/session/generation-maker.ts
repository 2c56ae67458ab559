/**
 * How a build becomes a generation: what differs between a whole library, linked anew, and parts of one. The pipeline asks;
 * whole-library.ts is the one maker so far.
 */
import type { ErrorReport } from "../../schemas/error.js";
import type { Layouts } from "../layout/type.js";
import type { FollowedLibrary } from "../library/library.js";
import type { Inspected, Inspection } from "../steps/inspect.js";

/** A file that the target's loader can take, by the path under which it sees it; or why there is none. */
export type Prepared =
  | { readonly kind: "ready"; readonly path: string }
  | { readonly kind: "refused"; readonly report: ErrorReport };

export interface GenerationMaker {
  inspect(library: FollowedLibrary, bytes: Buffer): Inspection;
  /** The functions that the build speaks for: another one is untouched, not missing. Null: all. */
  scope(artifact: Inspected): ReadonlySet<string> | null;
  /** @param layouts the build's own */
  prepare(library: FollowedLibrary, artifact: Inspected, layouts: Layouts): Promise<Prepared>;
}
