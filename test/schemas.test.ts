/** What is generated from the schemas is what is in the repository. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { z } from "zod";
import { AGENT_PROTOCOL } from "../schemas/agent.js";
import { BRIDGE_PROTOCOL } from "../schemas/bridge.js";
import { Config } from "../schemas/config.js";
import { ROOT } from "./support/workshop.js";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

test("docs/hotpatch.schema.json is that of the zod schema (npm run schema)", (t) => {
  t.deepEqual(JSON.parse(read("docs/hotpatch.schema.json")), JSON.parse(JSON.stringify(z.toJSONSchema(Config))));
});

test("both sides of each process border say the same protocol number", (t) => {
  t.is(Number(/^PROTOCOL = (\d+)$/m.exec(read("cli/target/bridge.py"))?.[1]), BRIDGE_PROTOCOL);
  t.is(Number(/^const PROTOCOL = (\d+);$/m.exec(read("agent/index.ts"))?.[1]), AGENT_PROTOCOL);
});
