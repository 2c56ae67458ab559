/** What git says of files. */
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";

/**
 * Those of the paths (of one folder) that git ignores; none where there is no git or no repository. A repository's own
 * settings can name programs that even this question would start: a file system monitor, and a remote to fetch a missing
 * .gitignore from. Sources may be a stranger's, and looking at them must run nothing.
 * Source: git-config(1), core.fsmonitor; git(1), GIT_ALLOW_PROTOCOL. Both were seen to run with git 2.39.
 */
export function gitIgnored(paths: readonly string[]): Set<string> {
  const [first] = paths;
  if (first === undefined) return new Set();
  const { stdout } = spawnSync("git", ["-c", "core.fsmonitor=false", "check-ignore", "-z", "--stdin"], {
    cwd: dirname(first),
    env: { ...process.env, GIT_ALLOW_PROTOCOL: "" },
    input: paths.join("\0"),
    encoding: "utf8",
    stdio: ["pipe", "pipe", "ignore"],
  });
  return new Set((stdout ?? "").split("\0").filter((path) => path !== ""));
}
