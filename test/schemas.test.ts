/** What is generated from the schemas is what is in the repository. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { z } from "zod";
import { Config } from "../schemas/config.js";
import { BRIDGE_PROTOCOL } from "../schemas/protocol.js";
import { ROOT } from "./support/workshop.js";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

test("docs/hotpatch.schema.json is that of the zod schema (npm run schema)", (t) => {
  t.deepEqual(JSON.parse(read("docs/hotpatch.schema.json")), JSON.parse(JSON.stringify(z.toJSONSchema(Config))));
});

test("the bridge says the protocol number that the cli expects", (t) => {
  t.is(Number(/^PROTOCOL = (\d+)$/m.exec(read("cli/frida/bridge/bridge.py"))?.[1]), BRIDGE_PROTOCOL);
});
