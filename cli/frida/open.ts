/** Which Frida binding: npm's where it loads, else the Python wheel. */
import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HotpatchError, noBackend } from "../errors.js";
import { openBridge, type Python } from "./bridge.js";
import { openNative } from "./native.js";
import type { Backend } from "./target.js";

/** Folders that may hold the wheel: this clone's, then the user's cache. */
const PACKAGES = [
  fileURLToPath(new URL("../../../.hotpatch-python", import.meta.url)),
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "hotpatch/python"),
];

/** Rejects with no-backend, which lists every reason. */
export async function openBackend(wanted: "auto" | "native" | "python"): Promise<Backend> {
  const reasons: string[] = [];
  const attempt = async (open: () => Promise<Backend>) => {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof HotpatchError)) throw error;
      reasons.push(error.report.detail);
      return null;
    }
  };
  if (wanted !== "python") {
    const native = await attempt(openNative);
    if (native !== null) return native;
  }
  if (wanted !== "native")
    for (const python of pythons()) {
      const bridge = await attempt(() => openBridge(python));
      if (bridge !== null) return bridge;
    }
  throw new HotpatchError(noBackend(wanted, [...new Set(reasons)].join("\n")));
}

/** Not existsSync: that asks access(2), which leaves the process's own capabilities out. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // not there, or not for us
  }
}

/** The interpreter that was asked for is the only one tried. */
function pythons(): Python[] {
  const named = process.env.HOTPATCH_PYTHON;
  const commands = named === undefined ? ["python3", "python"] : [named];
  const packages = [...PACKAGES.filter(isFolder), null];
  return commands.flatMap((command) => packages.map((folder) => ({ command, packages: folder })));
}
