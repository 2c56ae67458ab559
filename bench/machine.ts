/** The machine and the versions that figures belong to. */
import { execFileSync } from "node:child_process";
import { cpus, release } from "node:os";

const first = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: "utf8" }).split("\n")[0] ?? "";

export const machine = (): string =>
  `${cpus()[0]?.model ?? "unknown CPU"}, ${cpus().length} cores, Linux ${release()}, ${first("gcc", "--version")}, node ${process.versions.node}`;
