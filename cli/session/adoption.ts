/** A library that the agent has adopted becomes one that is followed: told of, watched, and looked at for a newer build. */
import type { AgentAnswer, FoundLibrary, RefusedMark } from "../../schemas/agent.js";
import type { ErrorReport } from "../../schemas/error.js";
import type { UntimedEvent } from "../../schemas/event.js";
import * as errors from "../errors.js";
import { mapsArtifact } from "../library/generation-zero.js";
import { differs, type Libraries } from "../library/libraries.js";
import type { FollowedLibrary } from "../library/library.js";
import type { Inspected } from "../steps/inspect.js";
import { agentError, refusedFunctions } from "./refusals.js";
import type { SerialQueue } from "./serial-queue.js";
import type { TargetConnection } from "./target-connection.js";
import type { Triggers } from "./triggers.js";

const NONE: { ok: true; value: AgentAnswer<"adopt"> } = { ok: true, value: { adopted: [], refused: [] } };

export class Adoption {
  /** As --functions has them. */
  readonly #globs: readonly string[];
  readonly #libraries: Libraries;
  readonly #connection: TargetConnection;
  readonly #queue: SerialQueue;
  readonly #triggers: Triggers;
  readonly #say: (event: UntimedEvent) => void;

  constructor(
    globs: readonly string[],
    libraries: Libraries,
    connection: TargetConnection,
    queue: SerialQueue,
    triggers: Triggers,
    say: (event: UntimedEvent) => void,
  ) {
    this.#globs = globs;
    this.#libraries = libraries;
    this.#connection = connection;
    this.#queue = queue;
    this.#triggers = triggers;
    this.#say = say;
  }

  found(found: FoundLibrary): void {
    const { library, zero } = this.#libraries.add(this.#connection.pid, found);
    if (this.#globs.length === 0) return this.#follow(library, zero, found, found.refused);
    this.#queue.add(async () =>
      this.#follow(library, zero, found, [...found.refused, ...(await this.#adoptUnmarked(library, zero))]),
    );
  }

  /** Generation 0's functions without marks that were asked for. Those that cannot be patched, and why. */
  async #adoptUnmarked(library: FollowedLibrary, zero: Inspected | null): Promise<readonly RefusedMark[]> {
    const { name } = library;
    if (zero === null) {
      this.#warn(errors.goneFile(name, library.loadedFrom, library.runsText), name);
      return [];
    }
    const functions = [...zero.choice.functions];
    const answer = functions.length === 0 ? NONE : await this.#connection.call("adopt", { library: name, functions });
    if (!answer.ok) this.#warn(agentError(answer.error, library, 0), name);
    const { adopted, refused } = answer.ok ? answer.value : NONE.value;
    const cannot = [...zero.choice.refused, ...refused];
    library.adopt(adopted, cannot);
    if (library.functions.size === 0) this.#warn(errors.noMatch(name, this.#globs.join(" "), library.runsText), name);
    return cannot;
  }

  /** Its functions lead through the table from here on. */
  #follow(
    library: FollowedLibrary,
    zero: Inspected | null,
    found: FoundLibrary,
    refused: readonly RefusedMark[],
  ): void {
    const { name, loadedFrom: path, artifact, runsText } = library;
    this.#say({
      type: "library:found",
      library: name,
      path,
      generation: library.running,
      functions: library.functions.size,
      state: zero?.state.length ?? 0,
      buildId: library.runs.buildId,
    });
    for (const report of refusedFunctions(refused, library)) this.#warn(report, name);
    if (zero !== null && zero.marks.unnamedBytes > 0)
      this.#warn(errors.strippedMarks(name, zero.marks.unnamedBytes, runsText), name);
    if (mapsArtifact(this.#connection.pid, found, artifact))
      this.#warn(errors.mappedArtifact(name, artifact, found.unstaged, runsText), name);
    // Before the next build: it may overwrite the debug information of what runs.
    this.#queue.add(async () => void [library.runs.layouts(), library.virtuals]);
    this.#triggers.watchArtifact(library);
    if (differs(library)) this.#triggers.take(library, "built before the session began");
  }

  #warn(report: ErrorReport, library: string): void {
    this.#say({ type: "warning", library, ...report });
  }
}
