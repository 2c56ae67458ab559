/**
 * The settings of spawn and attach, each once: its flag, its words, its type, its default. Flags, their help, hotpatch.json,
 * its JSON Schema and the merge of the two come from this table. Source: docs/cli.md.
 */
import { z } from "zod";

/** How a setting is given, beyond its type. */
type Shape =
  /** Given again it adds to what was given before. Paths are relative to where they were said. */
  | "paths"
  | "path"
  | "texts"
  /** NAME=VALUE, also repeatable. Those of flags and of the file are put together. */
  | "pairs"
  | "text"
  | "milliseconds"
  /** A flag without a value. */
  | "switch";

interface Setting<T extends z.ZodType, S extends Shape, F> {
  /** As commander has it. */
  readonly flag: string;
  readonly help: string;
  readonly shape: S;
  readonly type: T;
  /** Null: none; the current folder, for a folder. */
  readonly fallback: F;
  /** What its --no- form does. */
  readonly off: string | null;
}

const setting = <T extends z.ZodType, S extends Shape, F extends z.infer<T> | null>(
  flag: string,
  help: string,
  shape: S,
  type: T,
  fallback: F,
  off: string | null = null,
): Setting<T, S, F> => ({ flag, help, shape, type, fallback, off });

const milliseconds = z.number().nonnegative();

export const SETTINGS = {
  library: setting("-l, --library <path>", "library file that the build writes", "paths", z.array(z.string()), []),
  functions: setting(
    "-f, --functions <glob>",
    "also patch unmarked functions by name; * and ? are wildcards",
    "texts",
    z.array(z.string()),
    [],
  ),
  build: setting("-b, --build <command>", "shell command to run when sources change", "text", z.string(), null),
  watch: setting("-w, --watch <dir>", "source folder for --build", "paths", z.array(z.string()), null),
  settle: setting(
    "--settle <ms>",
    "how long a library file must stay unchanged before it is read",
    "milliseconds",
    milliseconds,
    50,
  ),
  poll: setting(
    "--poll <ms>",
    "poll every <ms> instead of using inotify (network mounts)",
    "milliseconds",
    z.number().positive(),
    null,
  ),
  cwd: setting("--cwd <dir>", "working directory of the spawned host", "path", z.string(), null),
  env: setting(
    "--env <name=value>",
    "environment variable for the spawned host",
    "pairs",
    z.record(z.string(), z.string()),
    {},
  ),
  keep: setting("--keep", "leave the running generation in place at the end", "switch", z.boolean(), false),
  partial: setting(
    "--partial",
    "switch the rest: functions whose signature or layout changed keep their bodies",
    "switch",
    z.boolean(),
    false,
  ),
  force: setting("--force", "switch even functions whose signature or layout changed", "switch", z.boolean(), false),
  stage: setting(
    "--stage",
    "detach loaded libraries from the files that builds write (default)",
    "switch",
    z.boolean(),
    true,
    "leave libraries mapped from the files the host opened",
  ),
  loadTimeout: setting("--load-timeout <ms>", "how long a copy may take to load", "milliseconds", milliseconds, 10_000),
  hookTimeout: setting("--hook-timeout <ms>", "how long a switch hook may take", "milliseconds", milliseconds, 2000),
  backend: setting("--backend <name>", "Frida binding to use", "text", z.enum(["auto", "native", "python"]), "auto"),
} as const;

type Table = typeof SETTINGS;
export type SettingName = keyof Table;

/** Their names, in the order of the help. */
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** What was said in one place: only what was said. */
export type Given = { readonly [N in SettingName]?: z.infer<Table[N]["type"]> | undefined };

/** All of them: paths absolute, times in ms, `env` what is added to ours. */
export type Settings = {
  readonly [N in SettingName]: N extends "cwd" | "watch"
    ? z.infer<Table[N]["type"]>
    : z.infer<Table[N]["type"]> | (null extends Table[N]["fallback"] ? null : never);
};
