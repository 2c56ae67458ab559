/** Checks that a program can be a host at all: its architecture, its loader, its C library. */
import { readFileSync, readlinkSync } from "node:fs";
import { pathAsItWas } from "../../schemas/names.js";
import { hasThreadSanitizer, hostKind } from "../binary/host.js";
import { attachFailed, muslHost, sanitizedHost, staticHost, UNTOUCHED, wrongArchitecture } from "../errors.js";
import { type Finding, fine, problem } from "./finding.js";

/**
 * @param path of the executable: `/proc/PID/exe` for a process
 * @param pid null: a program that is not running yet
 */
export function checkExecutable(path: string, pid: number | null): Finding {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (pid !== null && code === "ENOENT")
      return problem(attachFailed(pid, "it has no executable: it is a kernel thread", UNTOUCHED));
    return fine(`the executable cannot be read (${message}): leaving the decision to Frida`);
  }
  const name = pid === null ? path : pathAsItWas(readlinkSync(path));
  const { kind, detail } = hostKind(bytes);
  switch (kind) {
    case "ok":
      if (hasThreadSanitizer(bytes)) return problem(sanitizedHost(pid, name));
      return fine(`${name} is x86_64 ELF, loaded by ${detail}`);
    case "static":
      return problem(staticHost(pid, name));
    case "musl":
      return problem(muslHost(pid, name, detail));
    case "architecture":
      return problem(wrongArchitecture(name, detail, UNTOUCHED));
  }
}
