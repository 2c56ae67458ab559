/** Checks the machine, node, and the programs that hotpatch calls. */
import { spawnSync } from "node:child_process";
import { type Fine, fine, type Lack, lacking } from "./finding.js";

const OLDEST_NODE = [20, 19] as const;
const ANSWER_MS = 5000;

/** `glibc` is absent if node runs on another C library, where Frida's agent would not work either. */
export function checkPlatform(): Fine | Lack {
  const { platform, arch } = process;
  const header = (process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined)?.header;
  const glibc = header?.glibcVersionRuntime;
  if (platform === "linux" && arch === "x64" && glibc !== undefined) return fine(`Linux x86_64, glibc ${glibc}`);
  const found = `${platform} ${arch}${platform === "linux" && glibc === undefined ? " without glibc" : ""}`;
  return lacking(`${found}: nothing can be patched here`, "use Linux x86_64 with glibc", true);
}

export function checkNode(): Fine | Lack {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const [wantedMajor, wantedMinor] = OLDEST_NODE;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return fine(`node ${node}`);
  return lacking(`node ${node} is too old`, `install node ${OLDEST_NODE.join(".")} or newer`, true);
}

/** hotpatch calls no compiler itself; the build command does. */
export function checkCompiler(): Fine | Lack {
  const found = ["cc", "gcc", "clang"].map(versionOf).find((version) => version !== null);
  if (found !== undefined && found !== null) return fine(found);
  return lacking(
    "no C compiler on PATH (cc, gcc, clang)",
    "install one, or build elsewhere; Debian and Ubuntu: apt install gcc libc6-dev make",
    false,
  );
}

export function checkDemangler(): Fine | Lack {
  const found = versionOf("c++filt");
  if (found !== null) return fine(found);
  return lacking("no c++filt on PATH: C++ and Rust names are shown mangled", "install binutils", false);
}

/** The first line of a program's --version, or null if there is no such program. */
function versionOf(program: string): string | null {
  const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8", timeout: ANSWER_MS });
  return status === 0 ? (stdout.split("\n")[0] ?? program) : null;
}
