/** A generation is a copy of the whole library, bound to what the target runs and uses already. */
import type { ErrorReport } from "../../schemas/error.js";
import { settleOrigin } from "../binary/run-path.js";
import * as errors from "../errors.js";
import type { Layouts } from "../layout/type.js";
import type { Libraries } from "../library/libraries.js";
import type { FollowedLibrary } from "../library/library.js";
import { providersOf } from "../library/symbol-providers.js";
import { type Inspected, type Inspection, inspect } from "../steps/inspect.js";
import { bindCandidates, editCopy, type StatePointer, writeCopy } from "../steps/prepare.js";
import { changedTypesOfState, claimState, firstTold, grownExports } from "../steps/state.js";
import { isSeenBy } from "../system/private-folder.js";
import type { GenerationMaker, Prepared } from "./generation-maker.js";
import { stateError } from "./refusals.js";
import type { TargetConnection } from "./target-connection.js";

const refused = (report: ErrorReport): Prepared => ({ kind: "refused", report });

/** What a copy is bound to. */
interface Binding {
  /** Names by which the copy refers to itself. */
  readonly own: ReadonlySet<string>;
  readonly state: readonly StatePointer[];
}

export class WholeLibrary implements GenerationMaker {
  readonly #libraries: Libraries;
  readonly #connection: TargetConnection;
  readonly #force: boolean;

  /** @param force whether live data whose inside changed is taken all the same */
  constructor(libraries: Libraries, connection: TargetConnection, force: boolean) {
    this.#libraries = libraries;
    this.#connection = connection;
    this.#force = force;
  }

  inspect(library: FollowedLibrary, bytes: Buffer): Inspection {
    const { artifact, name, runsText } = library;
    return inspect(artifact, name, bytes, runsText, this.#libraries.chooserFor(library));
  }

  scope(): null {
    return null;
  }

  async prepare(library: FollowedLibrary, artifact: Inspected, layouts: Layouts): Promise<Prepared> {
    const binding = await this.#bind(library, artifact, layouts);
    if ("code" in binding) return refused(binding);
    const { own, state } = binding;
    const edited = editCopy(artifact.bytes, artifact.elf, { bind: (name) => own.has(name), state });
    return this.#place(library, settleOrigin(edited.bytes, artifact.elf, library.folders));
  }

  /** What the copy leads to in the target, or why it may not. */
  async #bind(library: FollowedLibrary, artifact: Inspected, layouts: Layouts): Promise<Binding | ErrorReport> {
    const names = bindCandidates(artifact.elf);
    const [provided, live] = await Promise.all([
      this.#connection.ask("providers", { library: library.name, names: [...names, ...artifact.exports.keys()] }),
      artifact.state.length === 0 ? [] : this.#connection.ask("state", { library: library.name }),
    ]);
    const claim = claimState(live, artifact.state);
    // Not even --force lets a copy write past the end of what lives: sizes always count, what is inside can be overruled.
    const judged = library.judgeState(layouts);
    const inside = [
      [...judged.values()].flatMap(({ changes }) => changes),
      changedTypesOfState(live, artifact.state, library.recorded.types, artifact.marks.records.types),
    ];
    const differences = claim.kind === "changed" ? claim.differences : [];
    const changed = [
      ...firstTold(differences, ...(this.#force ? [] : inside)),
      ...grownExports(library.exports, artifact.exports, provided.slice(names.length)),
    ];
    if (claim.kind !== "fits" || changed.length > 0) return stateError(claim, changed, library);
    const own = providersOf(this.#connection.pid, names, provided);
    // Whoever supplies an inline function to generation 0: it was compiled from the same header as the copy's.
    for (const { symbol, inline } of artifact.marks.functions) if (inline) own.add(symbol);
    return { own, state: claim.pointers };
  }

  /** Writes the copy where the target sees it. */
  async #place(library: FollowedLibrary, bytes: Buffer): Promise<Prepared> {
    const { artifact, runsText } = library;
    try {
      const folder = await this.#connection.folderNow();
      const path = folder.thereOf(await write(library, folder.here, bytes));
      if (isSeenBy(this.#connection.pid, path, bytes)) return { kind: "ready", path };
      library.attempts += 1;
      return refused(errors.copyUnseen(artifact, path, runsText));
    } catch (error) {
      if (error instanceof errors.HotpatchError) return refused({ ...error.report, running: runsText });
      return refused(errors.copyFailed(artifact, errors.wordsOf(error), runsText));
    }
  }
}

/** A name that another library of the same file name has taken is passed over: no two copies share one. */
async function write(library: FollowedLibrary, folder: string, bytes: Buffer): Promise<string> {
  try {
    return await writeCopy(folder, library.name, library.next, library.attempts, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    library.attempts += 1;
    return write(library, folder, bytes);
  }
}
