/** The files that this process writes: its log, and what its output is redirected to. */
import { fstatSync, readdirSync, readFileSync, statSync } from "node:fs";

/** Of the flags in /proc/PID/fdinfo, in octal: opened for writing. Source: proc(5), open(2). */
const WRITING = 0o3;

/** Whether a path leads to one of the files that are open for writing now. */
export function ownOutputs(): (path: string) => boolean {
  const files = new Set(readdirSync("/proc/self/fd").flatMap((name) => identityOf(Number(name)) ?? []));
  return (path) => {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stats !== undefined && files.has(`${stats.dev} ${stats.ino}`);
  };
}

function identityOf(fd: number): string | null {
  try {
    const stats = fstatSync(fd, { bigint: true });
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "0";
    return stats.isFile() && (Number.parseInt(flags, 8) & WRITING) !== 0 ? `${stats.dev} ${stats.ino}` : null;
  } catch {
    return null; // closed meanwhile: the one that listed them
  }
}
