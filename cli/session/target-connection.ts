/** The session's current target and its folder for copies. A launcher's host takes the launcher's place. */
import type { AgentAnswer, AgentArgument, AgentMethod } from "../../schemas/agent.js";
import type { Target } from "../frida/target.js";
import { CopyFolder } from "./copy-folder.js";

export class TargetConnection {
  target: Target | null = null;
  /** Where the target's copies go. */
  folder: CopyFolder | null = null;
  /** Earlier folders, from before the target changed its user. */
  readonly #outgrown: CopyFolder[] = [];
  /** What the target is currently doing for us, in words, in case it dies of it. */
  underWay: string | null = null;

  /** 0 before there is a target. */
  get pid(): number {
    return this.target?.pid ?? 0;
  }

  /** Another process is the target from here on, and the private folder is one that it sees. */
  async moveTo(target: Target): Promise<void> {
    const before = this.target;
    this.target = target;
    if (before?.pid === target.pid) return; // it has become another program: its folder is there
    const { folder } = this;
    this.folder = await CopyFolder.make(target.pid);
    folder?.remove(false);
    folder?.close();
  }

  /** Where the next copy goes. Rejects with copy-failed when there is no place that serves the target. */
  async folderNow(): Promise<CopyFolder> {
    if (this.folder === null) throw new Error("there is no folder for copies yet");
    if (!this.folder.outgrown) return this.folder;
    const next = await CopyFolder.make(this.pid);
    this.#outgrown.push(this.folder);
    this.folder = next;
    return next;
  }

  /**
   * The last operation on the folders.
   * @param all also remove those that earlier sessions left for this process; null: the target keeps using their
   * contents
   */
  leaveFolders(all: boolean | null): void {
    for (const folder of [...this.#outgrown, ...(this.folder === null ? [] : [this.folder])]) {
      if (all !== null) folder.remove(all);
      folder.close();
    }
  }

  call: Target["call"] = (method, argument) => {
    if (this.target === null) throw new Error("the session has no target yet");
    return this.target.call(method, argument);
  };

  /** For requests that fail only because of a bug. */
  async ask<M extends AgentMethod>(method: M, argument: AgentArgument<M>): Promise<AgentAnswer<M>> {
    const answer = await this.call(method, argument);
    if (!answer.ok) throw new Error(answer.error.detail);
    return answer.value;
  }
}
