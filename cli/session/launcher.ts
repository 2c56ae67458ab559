/**
 * The program that was spawned, as long as it may turn out to be a launcher: a host is looked for among what it starts.
 * Once there is one, the launcher goes on without the agent, and is given time to finish when its host has ended.
 */
import type { Outcome, Target, TargetEvent } from "../frida/target.js";
import type { Gone } from "./exit-status.js";
import { type HostEvents, HostSearch } from "./host-search.js";
import { endLauncher, letGo, release } from "./shutdown.js";

type Exited = Extract<Gone, { kind: "exited" }>;

export class Launcher {
  #search: HostSearch | null = null;
  /** Its end while a host is looked for. */
  #exited: Exited | null = null;
  #left: { readonly target: Target; readonly gone: Promise<Outcome | null> } | null = null;

  /** @param onGone it has ended, and nothing that it started will be the host */
  seekHost(
    { pid }: Target,
    names: readonly string[] | null,
    onHost: HostEvents["onHost"],
    onGone: (exited: Exited) => void,
  ): void {
    this.#search = new HostSearch(pid, names, {
      onHost,
      // Without it the launcher's own end is still on its way, with its exit code.
      onGone: () => this.#exited !== null && onGone(this.#exited),
    });
  }

  /** Whether its host is still being looked for. */
  get seeking(): boolean {
    return this.#search?.closed === false;
  }

  /** Nothing more is looked for. */
  close(): void {
    this.#search?.close();
  }

  /** It has ended while its host is looked for. */
  ended(exited: Exited): void {
    this.#exited = exited;
  }

  /** @param hear takes its output: the host's comes through the same terminal */
  async leaveBehind(target: Target, hear: (event: TargetEvent) => void): Promise<void> {
    const gone = new Promise<Outcome | null>((resolve) => {
      if (this.#exited !== null) resolve(this.#exited.outcome);
      target.listen((event) => {
        if (event.type === "output") hear(event);
        if (event.type === "exited") resolve(event.outcome);
      });
    });
    this.#left = { target, gone };
    await release(target, false);
    await letGo(target);
  }

  /** Who has the terminal, once a host was found; null before. */
  get terminal(): Target | null {
    return this.#left?.target ?? null;
  }

  /** After its host has ended. */
  async finish(): Promise<void> {
    if (this.#left !== null) await endLauncher(this.#left.target, this.#left.gone);
  }
}
