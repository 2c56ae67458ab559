/** Takes in a new generation: loads, checks and adopts its copy. Nothing runs in it yet. */
import type { LoadAnswer, LoadRequest, Result } from "../../schemas/agent.js";
import { codeWriter } from "../arch/index.js";
import type { Library } from "../library/library.js";
import { load, now } from "../os/index.js";
import { addressOf } from "../target/address.js";
import { wordsAt } from "../target/words.js";
import { fail, ok } from "./result.js";
import type { Session } from "./session.js";

/** @throws NoRoom */
export async function loadGeneration(
  library: Library,
  request: LoadRequest,
  session: Session,
): Promise<Result<LoadAnswer>> {
  const loaded = await load(request.path, request.timeoutMs);
  if (loaded.kind === "failed") return fail("load-failed", loaded.detail);
  if (loaded.kind === "timeout")
    return fail(
      "load-timeout",
      `not finished after ${request.timeoutMs} ms: a constructor of the copy has not returned`,
    );
  if (session.ended) return fail("internal", "the session ended while the copy was loading");

  const start = now();
  const taken = library.copies.at(loaded.base);
  if (taken !== undefined)
    return fail("load-failed", `the loader took the copy for generation ${taken}: both files have the same inode`);
  const base = addressOf(loaded.base);
  const marks = request.marks.map(({ name, offset }) => ({ name, entry: base + offset }));
  const words = wordsAt(marks.map((mark) => mark.entry));
  for (const [i, { name, entry }] of marks.entries()) {
    const reason = codeWriter.entryProblem(entry, words[i] ?? [0, 0]);
    if (reason !== null) return fail("entry-too-small", `${name}: ${reason}`);
  }
  const { path, buildId, hash } = request;
  const copy = { path, base: loaded.base, size: loaded.size, buildId, hash };
  const plain = library.add(request.generation, copy, marks, words, request.functions);
  session.record();
  session.log("debug", `generation ${request.generation} of ${request.library} is at ${loaded.base}`);
  return ok({ loadMs: loaded.ms, adoptMs: now() - start, plain });
}
