/** What the session has of its target just now, and how it is asked. A launcher's host takes the launcher's place. */
import type { AgentAnswer, AgentArgument, AgentMethod } from "../schemas/agent.js";
import type { CopyFolder } from "./copies.js";
import type { Target } from "./target/target.js";

export class Reach {
  target: Target | null = null;
  /** Where the target's copies go. */
  folder: CopyFolder | null = null;
  /** What the target is doing for us just now, in words: should it die of that. */
  underWay: string | null = null;

  /** 0 before there is a target. */
  get pid(): number {
    return this.target?.pid ?? 0;
  }

  call: Target["call"] = (method, argument) => {
    if (this.target === null) throw new Error("the session has no target yet");
    return this.target.call(method, argument);
  };

  /** For questions that only a fault leaves without an answer. */
  async ask<M extends AgentMethod>(method: M, argument: AgentArgument<M>): Promise<AgentAnswer<M>> {
    const answer = await this.call(method, argument);
    if (!answer.ok) throw new Error(answer.error.detail);
    return answer.value;
  }
}
