/**
 * Which found hotpatch.json may run commands: one that the user approved, until it changes. A clone of somebody's
 * project, or a parent folder, must not run anything just because hotpatch was started in it.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Config } from "../../schemas/config.js";
import { HotpatchError, untrustedConfig } from "../errors.js";
import { printable } from "../text/printable.js";
import type { FoundConfig, Unnamed } from "./config.js";

/** Path of a hotpatch.json -> sha256 of its contents when it was trusted. */
const Trusted = z.record(z.string(), z.string());
type Trusted = z.infer<typeof Trusted>;

/** Asks a yes-or-no question; null if there is nobody to ask. */
export type Ask = ((question: string) => Promise<boolean>) | null;

/**
 * Rejects with untrusted-config if the settings would run commands that the user has not approved.
 * @param buildGiven the command line has its own build, so the file's is not run
 */
export async function requireTrust({ config, unnamed }: FoundConfig, buildGiven: boolean, ask: Ask): Promise<void> {
  if (unnamed === null) return;
  const commands = commandsOf(config, buildGiven);
  if (commands.length === 0 || readTrusted()[unnamed.path] === unnamed.hash) return;
  const would = `it would run ${commands.join(", and ")}`;
  const agreed = ask !== null && (await ask(printable(`hotpatch: ${unnamed.path} was found: ${would}. Trust it?`)));
  if (!agreed) throw new HotpatchError(untrustedConfig(unnamed.path, would));
  try {
    remember(unnamed);
  } catch {
    // It cannot be written (a read-only home): the next start asks again, so the user will notice.
  }
}

/** What the settings execute by themselves: the build, and what the loader is told to load into the host. */
function commandsOf({ build, env = {} }: Config, buildGiven: boolean): string[] {
  const loads = Object.entries(env).filter(([name]) => name.startsWith("LD_"));
  return [
    ...(build === undefined || buildGiven ? [] : [`the build command ${JSON.stringify(build)}`]),
    ...loads.map(([name, value]) => `the host with ${name}=${JSON.stringify(value)}`),
  ];
}

const storePath = (): string =>
  join(process.env.XDG_CONFIG_HOME || join(homedir(), ".config"), "hotpatch", "trusted.json");

/** A missing or unreadable store trusts nothing: the user is asked again. */
function readTrusted(): Trusted {
  try {
    return Trusted.parse(JSON.parse(readFileSync(storePath(), "utf8")));
  } catch {
    return {};
  }
}

function remember({ path, hash }: Unnamed): void {
  const store = storePath();
  const temporary = `${store}.${randomBytes(6).toString("hex")}.tmp`;
  mkdirSync(dirname(store), { recursive: true, mode: 0o700 });
  writeFileSync(temporary, `${JSON.stringify({ ...readTrusted(), [path]: hash }, null, 2)}\n`, {
    mode: 0o600,
    flag: "wx",
  });
  renameSync(temporary, store);
}
