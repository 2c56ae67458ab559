/**
 * hotpatch.json: which file it is, whether it may be used, and what it says. schemas/config.ts defines the settings.
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Config } from "../../schemas/config.js";
import { badConfig, HotpatchError, untrustedConfig, wordsOf } from "../errors.js";
import { trustedOwners } from "../system/trusted-owners.js";

/** A file that nobody named, with the hash of its contents. */
export interface Unnamed {
  readonly path: string;
  readonly hash: string;
}

export interface FoundConfig {
  readonly config: Config;
  /** The folder that its relative paths start from. */
  readonly folder: string;
  /** Null if --config named the file, or there is none. */
  readonly unnamed: Unnamed | null;
}

/** @throws HotpatchError bad-config; untrusted-config for a file that somebody else can write */
export function readConfig(named: string | null): FoundConfig {
  const path = named === null ? findConfig(process.cwd()) : resolve(named);
  if (path === null) return { config: {}, folder: process.cwd(), unnamed: null };
  const text = readText(path, named !== null);
  const config = parse(path, text);
  if (named !== null) return { config, folder: dirname(path), unnamed: null };
  const hash = createHash("sha256").update(text).digest("hex");
  return { config, folder: dirname(path), unnamed: { path: realpathSync(path), hash } };
}

function readText(path: string, named: boolean): string {
  let file: number | null = null;
  try {
    file = openSync(path, "r");
    const foreign = named ? null : foreignHand(file);
    if (foreign !== null) throw new HotpatchError(untrustedConfig(path, foreign));
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof HotpatchError) throw error;
    throw new HotpatchError(badConfig(path, wordsOf(error)), error);
  } finally {
    if (file !== null) closeSync(file);
  }
}

/** Who else controls the file's contents; null if nobody. */
function foreignHand(file: number): string | null {
  const { uid, mode } = fstatSync(file);
  if (!trustedOwners().has(uid)) return `it belongs to user ${uid}`;
  return (mode & 0o002) !== 0 ? "everybody may write to it" : null;
}

function parse(path: string, text: string): Config {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HotpatchError(badConfig(path, wordsOf(error)), error);
  }
  const parsed = Config.safeParse(value);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  throw new HotpatchError(
    badConfig(path, issues.map((i) => `${i.path.join(".") || "the file"}: ${i.message}`).join("; ")),
  );
}

function findConfig(from: string): string | null {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, "hotpatch.json");
    if (existsSync(path)) return path;
    if (dirname(folder) === folder) return null;
  }
}
