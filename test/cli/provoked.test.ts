/** Every error code has a test that provokes it in the real program. The table says which; a code without one fails. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { ErrorCode } from "../../schemas/error.js";
import { ROOT } from "../support/workshop.js";

/** Code -> file below test/, and how the title of a test in it begins. That test must name the code. */
const PROVOKED: Record<ErrorCode, readonly [file: string, title: string]> = {
  "no-such-process": ["e2e/sandboxes", "a zombie is no process any more"],
  "ambiguous-process": ["e2e/arriving", "a name that several processes have"],
  "attach-denied": ["e2e/sandboxes", "another user's process is refused"],
  "attach-busy": ["e2e/arriving", "a process that a debugger holds"],
  "stopped-process": ["e2e/sandboxes", "a stopped process is refused"],
  "sandboxed-host": ["e2e/sandboxes", "a host under strict seccomp"],
  "too-few-descriptors": ["e2e/unfriendly-hosts.long", "a host with few descriptors left"],
  "unsupported-host": ["e2e/unfriendly-hosts.long", "a host whose main() has left"],
  "static-host": ["e2e/arriving", "a static host is refused"],
  "musl-host": ["e2e/arriving", "a host whose loader is musl's"],
  "sanitized-host": ["e2e/hosts", "a host built with ThreadSanitizer by"],
  "wrong-architecture": ["e2e/arriving", "a 32-bit host is another architecture"],
  "attach-failed": ["e2e/faults", "an agent that cannot "],
  "spawn-failed": ["e2e/arriving", "an executable that is not there"],
  "no-backend": ["e2e/arriving", "no backend is exit code 4"],
  "library-not-found": ["e2e/arriving", "a library that does not exist"],
  "library-not-loaded": ["e2e/arriving", "a library that is not loaded yet"],
  "no-marks": ["e2e/refusals", "a library without marks"],
  "stripped-marks": ["e2e/refusals", "marks that are stripped"],
  "marks-in-executable": ["e2e/peers/processes", "marks in the executable are told"],
  "mapped-artifact": ["e2e/staged", "under attach there is one warning"],
  "entry-too-small": ["e2e/cpp.long", "gcc: a destructor"],
  "entry-unsafe": ["e2e/unmarked.long", "a function without room"],
  "untrusted-build": ["e2e/unmarked.long", "a later build that cannot be trusted"],
  "no-match": ["e2e/unmarked.long", "a glob that no function has"],
  "ambiguous-name": ["e2e/cpp.long", "two functions that shared"],
  "artifact-incomplete": ["cli/commands/inspect", "calls a half-written file"],
  "artifact-invalid": ["e2e/refusals", "something that is no ELF file"],
  "copy-failed": ["e2e/faults", "a folder for copies that is removed"],
  "unsafe-folder": ["e2e/security", "a temporary folder that everybody"],
  "untrusted-config": ["e2e/trust", "a found build command"],
  "load-failed": ["e2e/refusals", "an undefined symbol"],
  "load-timeout": ["e2e/refusals", "a constructor that does not return"],
  "hook-timeout": ["e2e/hooks", "a before-hook that does not return"],
  "signature-changed": ["e2e/records", "a mark that only its record names"],
  "layout-changed": ["e2e/state", "state of another "],
  "build-failed": ["e2e/faults", "a build that fails at the start"],
  "rebuild-loop": ["e2e/watching", "a file that each build rewrites"],
  "polled-folder": ["e2e/watching", "what is changed below an overlay"],
  "no-such-generation": ["e2e/ending", "the end of stdin"],
  "bad-command": ["e2e/ending", "the end of stdin"],
  "bad-config": ["e2e/arriving", "settings come from hotpatch.json"],
  usage: ["e2e/faults", "a log that cannot be opened"],
  "log-lost": ["e2e/faults", "a log whose disk is full"],
  "target-replaced": ["e2e/launchers", "a host that execs after"],
  "target-died": ["e2e/ending", "a target that dies in a copy's constructor"],
  "bridge-died": ["e2e/ending", "the bridge killed"],
  internal: ["e2e/faults", "an answer that nobody foresaw"],
};

/** A test's source: from its title to the next test. */
function testOf(file: string, title: string): string | null {
  const source = readFileSync(join(ROOT, "test", `${file}.test.ts`), "utf8");
  const opening = /^ *(?:test|root|asRoot|\([^()]*\btest\b[^()]*\))(?:\.\w+)*\(\s*["'`]/gm;
  const starts = [...source.matchAll(opening)].map((match) => match.index + match[0].length);
  const start = starts.find((at) => source.startsWith(title, at));
  if (start === undefined) return null;
  return source.slice(start, starts.find((at) => at > start) ?? source.length);
}

for (const code of ErrorCode.options)
  test(`${code} is provoked by a test that names it`, (t) => {
    const [file, title] = PROVOKED[code];
    const source = testOf(file, title);
    if (source === null) return t.fail(`${file}.test.ts has no test whose title begins with "${title}"`);
    t.true(source.includes(code), `"${title}" of ${file}.test.ts does not name ${code}`);
  });
