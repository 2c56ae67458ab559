/** The commands of a session: on stdin under --json, and from the screen's keys. */
import { z } from "zod";
import { Generation } from "./ids.js";

export const Command = z.discriminatedUnion("command", [
  z.object({ command: z.literal("build") }),
  z.object({ command: z.literal("rollback"), generation: Generation, library: z.string().optional() }),
  z.object({ command: z.literal("preview"), generation: Generation, library: z.string().optional() }),
  z.object({ command: z.literal("reload"), library: z.string().optional() }),
  z.object({ command: z.literal("status") }),
  z.object({ command: z.literal("end"), keep: z.boolean().optional() }),
]);
export type Command = z.infer<typeof Command>;
