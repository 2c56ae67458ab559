/** hotpatch.json: the options of spawn and attach that a project wants to keep. Flags win over it. */
import { z } from "zod";

export const Config = z
  .strictObject({
    $schema: z.string(),
    library: z.array(z.string()).describe("artifacts to follow"),
    functions: z.array(z.string()).describe("functions to patch without a mark, by name; * and ? are wildcards"),
    build: z.string().describe("command run by the shell when sources change"),
    watch: z.array(z.string()).describe("source folders for the build"),
    settle: z.number().int().nonnegative().describe("ms an artifact must stay unchanged before it is read"),
    poll: z.number().int().positive().describe("ms between looks at the file system, for network mounts"),
    cwd: z.string().describe("working folder of the spawned host"),
    env: z.record(z.string(), z.string()).describe("environment added for the spawned host"),
    loadTimeout: z.number().nonnegative().describe("ms a copy may take to load"),
    hookTimeout: z.number().nonnegative().describe("ms a switch hook may take"),
    keep: z.boolean().describe("leave the running generation in place at the end"),
    partial: z.boolean().describe("switch what can be switched when a signature or a layout has changed"),
    force: z.boolean().describe("switch also what has another signature or layout than what runs"),
    stage: z.boolean().describe("keep loaded libraries apart from the files that builds write"),
    backend: z.enum(["auto", "native", "python"]).describe("which Frida binding to use"),
  })
  .partial();
export type Config = z.infer<typeof Config>;
