/** hotpatch.json: a project's options for spawn and attach. Flags win over it. */
import { z } from "zod";
import { SETTING_NAMES, SETTINGS, type SettingName } from "./settings.js";

type Shape = { [N in SettingName]: (typeof SETTINGS)[N]["type"] };

const shape = Object.fromEntries(
  SETTING_NAMES.map((name) => [name, SETTINGS[name].type.describe(SETTINGS[name].help)]),
) as Shape;

export const Config = z.strictObject({ $schema: z.string(), ...shape }).partial();
export type Config = z.infer<typeof Config>;
