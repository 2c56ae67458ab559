/** What runs in the target now, function by function, and how many threads are still in older bodies. */
import type { StatusLibrary } from "../../schemas/event.js";
import type { Libraries } from "../library/libraries.js";
import type { TargetConnection } from "./target-connection.js";

/** Rejects with a HotpatchError when the target is gone. */
export async function statusOf(connection: TargetConnection, libraries: Libraries): Promise<StatusLibrary[]> {
  const ranges = await connection.ask("ranges", {});
  const stacks = ranges.length === 0 ? [] : ((await connection.target?.stacks(ranges)) ?? null);
  const found: StatusLibrary[] = [];
  for (const { library, functions, otherThreads } of await connection.ask("status", { stacks })) {
    const followed = libraries.get(library);
    if (followed === undefined) continue;
    const sources = await followed.sources();
    const described = functions.map((f) => {
      const source = sources.get(f.name);
      return { ...f, check: followed.checkOf(f.name), ...(source !== undefined && { source }) };
    });
    found.push(followed.status(described, otherThreads));
  }
  return found;
}
