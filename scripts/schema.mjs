/** Writes docs/hotpatch.schema.json, by which editors complete hotpatch.json, from the zod schema. Run after a build. */
import { writeFileSync } from "node:fs";
import { z } from "zod";
import { Config } from "../dist/schemas/config.js";

const file = new URL("../docs/hotpatch.schema.json", import.meta.url);
writeFileSync(file, `${JSON.stringify(z.toJSONSchema(Config), null, 2)}\n`);
