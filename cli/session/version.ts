import { readFileSync } from "node:fs";

/** hotpatch's own version, from its package. */
export const VERSION = (
  JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as { version: string }
).version;
