/** Chooses the Frida binding: npm's if it loads, else the Python wheel. */
import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HotpatchError, noBackend } from "../errors.js";
import { openBridge, type Python } from "./bridge.js";
import { openNative } from "./native.js";
import type { Backend } from "./target.js";

/** Folders that may contain the wheel: this clone's, then the user's cache. */
const PACKAGES = [
  fileURLToPath(new URL("../../../.hotpatch-python", import.meta.url)),
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "hotpatch/python"),
];

/** Rejects with no-backend, listing every reason. */
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

/** Not existsSync: it uses access(2), which ignores the process's own capabilities. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // not there, or not for us
  }
}

/** The interpreters to try; if one is named explicitly, only that. */
function pythons(): Python[] {
  const named = process.env.HOTPATCH_PYTHON;
  const commands = named === undefined ? ["python3", "python"] : [named];
  const packages = [...PACKAGES.filter(isFolder), null];
  return commands.flatMap((command) => packages.map((folder) => ({ command, packages: folder })));
}
