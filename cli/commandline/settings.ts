/** The table of settings as flags, and the merge of what flags and hotpatch.json say. */
import { resolve } from "node:path";
import { InvalidArgumentError, Option } from "commander";
import { z } from "zod";
import { type Given, SETTING_NAMES, SETTINGS, type SettingName, type Settings } from "../../schemas/settings.js";
import type { FoundConfig } from "./config.js";

export const settingOptions = (): Option[] =>
  SETTING_NAMES.flatMap((name) => {
    const option = settingOption(name);
    const { off } = SETTINGS[name];
    return off === null ? [option] : [option, new Option(option.flags.replace("--", "--no-"), off)];
  });

/** @param help where a command means something of its own by it */
export function settingOption(name: SettingName, help: string = SETTINGS[name].help): Option {
  const { flag, shape, type } = SETTINGS[name];
  const notes = notesOf(name).join("; ");
  const option = new Option(flag, notes === "" ? help : `${help} (${notes})`);
  switch (shape) {
    case "paths":
    case "texts":
      return option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
    case "pairs":
      return option.argParser((value: string, before: object | undefined) => ({ ...before, ...pairOf(value) }));
    case "milliseconds":
      return option.argParser((value: string) => checked(type, value));
    default:
      return type instanceof z.ZodEnum ? option.choices(type.options) : option;
  }
}

function notesOf(name: SettingName): string[] {
  const { shape, fallback } = SETTINGS[name];
  const notes = ["paths", "texts", "pairs"].includes(shape) ? ["repeatable"] : [];
  if (name === "watch") notes.push("default: the current folder");
  if (typeof fallback === "number") notes.push(`default: ${fallback}`);
  return notes;
}

function pairOf(text: string): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("expected NAME=VALUE.");
  return { [name]: value };
}

/** Flags are as strict as the file. */
function checked(type: z.ZodType, text: string): unknown {
  const parsed = type.safeParse(text.trim() === "" ? Number.NaN : Number(text));
  if (!parsed.success) throw new InvalidArgumentError("expected a number of milliseconds.");
  return parsed.data;
}

/** What is said in both places is the flag's, but for the environment, which is put together; `env` is complete. */
export function merge(flags: Given, { config, folder }: FoundConfig): Settings {
  const merged = Object.fromEntries(
    SETTING_NAMES.map((name) => [
      name,
      placed(name, flags, process.cwd()) ?? placed(name, config, folder) ?? SETTINGS[name].fallback,
    ]),
  ) as Settings;
  return {
    ...merged,
    watch: merged.watch ?? [process.cwd()],
    cwd: merged.cwd ?? process.cwd(),
    env: { ...inherited(), ...config.env, ...flags.env },
  };
}

/** Paths are absolute, from the folder of who said them. */
function placed(name: SettingName, given: Given, folder: string): unknown {
  const { shape } = SETTINGS[name];
  const value = given[name];
  if (value === undefined) return undefined;
  if (shape === "path") return resolve(folder, value as string);
  return shape === "paths" ? (value as string[]).map((path) => resolve(folder, path)) : value;
}

function inherited(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;
  return env;
}
