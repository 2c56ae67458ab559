/**
 * The error catalogue: one function for each error. Every error says what was attempted on what, why (in the lower
 * layer's own words), what the target runs now, and what to do. Longer than other files: it is a list, and is read as one.
 */
import type { ErrorCode, ErrorReport } from "../schemas/error.js";

/** The lower layer's own words. */
export const wordsOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** An expected failure on its way to the user. Its stack is shown only under -v. */
export class HotpatchError extends Error {
  readonly report: ErrorReport;
  constructor(report: ErrorReport, cause?: unknown) {
    super(`${report.code}: ${report.message}`, cause === undefined ? undefined : { cause });
    this.name = "HotpatchError";
    this.report = report;
  }
}

/** `running` before hotpatch has touched the target. */
export const UNTOUCHED = "the target was not touched";

/** `running` when a host was started and had to be terminated. */
export const ENDED = "nothing: the host that was started has been terminated";

/** `running` when the target was entered, but could not be worked in. */
export const LET_GO = "the host's own code: hotpatch has detached";

type ErrorText = readonly [message: string, detail: string, running: string, hint: string];
const make = (code: ErrorCode, [message, detail, running, hint]: ErrorText): ErrorReport => ({
  code,
  message,
  detail,
  running,
  hint,
});

const named = (pid: number | null, path: string): string => (pid === null ? path : `pid ${pid} (${path})`);

// Arriving ------------------------------------------------------------------------------------------------------------

export const noSuchProcess = (wanted: string, detail: string): ErrorReport =>
  make("no-such-process", [
    `cannot attach to ${wanted}: no such process`,
    detail,
    "nothing: no process was touched",
    "find it with `ps -e`, and give its pid or its exact name",
  ]);

export const ambiguousProcess = (name: string, pids: readonly number[]): ErrorReport =>
  make("ambiguous-process", [
    `cannot attach to "${name}": ${pids.length} processes have that name`,
    `pids ${pids.join(", ")}`,
    UNTOUCHED,
    `give a pid: hotpatch attach ${pids[0] ?? "PID"}`,
  ]);

export const attachDenied = (pid: number, detail: string): ErrorReport =>
  make("attach-denied", [
    `cannot attach to pid ${pid}: permission denied`,
    detail,
    UNTOUCHED,
    "run hotpatch as the owner of the process or as root; with kernel.yama.ptrace_scope=1, start the host with `hotpatch spawn`",
  ]);

export const attachBusy = (pid: number, detail: string): ErrorReport =>
  make("attach-busy", [
    `cannot attach to pid ${pid}: another tool is attached to it`,
    detail,
    UNTOUCHED,
    "detach the debugger, tracer or other hotpatch session first; gdb can attach after hotpatch has",
  ]);

export const stoppedProcess = (pid: number): ErrorReport =>
  make("stopped-process", [
    `cannot attach to pid ${pid}: it is stopped`,
    "it received a stop signal (SIGSTOP, or Ctrl-Z in its terminal), and attaching would resume it",
    "nothing: the process is still stopped, and was not touched",
    `resume it first: kill -CONT ${pid}, or fg in its shell`,
  ]);

export const sandboxedHost = (pid: number, detail: string, cure: string): ErrorReport =>
  make("sandboxed-host", [`cannot attach to pid ${pid}: its sandbox prevents it`, detail, UNTOUCHED, cure]);

export const tooFewDescriptors = (
  pid: number,
  open: number,
  limit: number,
  smallest: number,
  free: number,
): ErrorReport =>
  make("too-few-descriptors", [
    `cannot attach to pid ${pid}: it is too low on file descriptors`,
    `${open} of ${limit} are open; attaching needs a limit of ${smallest} with ${free} free, so that the host keeps some`,
    UNTOUCHED,
    `raise its limit (prlimit --pid ${pid} --nofile=${Math.max(smallest, 2 * limit)}), or see what it keeps open (ls -l /proc/${pid}/fd)`,
  ]);

/** Detected before the attach. @param pid null: a host that is going to be started */
export const unsupportedHost = (pid: number | null, detail: string, cure: string): ErrorReport =>
  make("unsupported-host", [
    `cannot enter ${pid === null ? "a host started from here" : `pid ${pid}`}: it would not survive that, or could not load copies`,
    detail,
    UNTOUCHED,
    cure,
  ]);

const HEADLESS = [
  "its main thread has exited while others run on (pthread_exit in main): the kernel then hides the memory of the process under its pid, where Frida reads it",
  "have main() wait for the other threads (pthread_join) instead of calling pthread_exit()",
] as const;

/** main() has called pthread_exit(). */
export const headlessHost = (pid: number): ErrorReport => unsupportedHost(pid, ...HEADLESS);

/** The same, during a session. */
export const headlessNow = (library: string, running: string): ErrorReport =>
  make("unsupported-host", [`cannot load a new build of ${library} into the host`, HEADLESS[0], running, HEADLESS[1]]);

export const staticHost = (pid: number | null, path: string): ErrorReport =>
  make("static-host", [
    `cannot patch ${named(pid, path)}: it is statically linked`,
    "it has no program interpreter (PT_INTERP), so nothing can be loaded into it; Frida would kill it trying",
    UNTOUCHED,
    "link the host dynamically",
  ]);

export const muslHost = (pid: number | null, path: string, detail: string): ErrorReport =>
  make("musl-host", [
    `cannot patch ${named(pid, path)}: its C library is musl`,
    `${detail}; Frida's agent needs glibc`,
    UNTOUCHED,
    "run the host on glibc",
  ]);

export const sanitizedHost = (pid: number | null, path: string): ErrorReport =>
  make("sanitized-host", [
    `cannot patch ${named(pid, path)}: it is built with ThreadSanitizer`,
    "ThreadSanitizer exits the process (code 66) when a tool maps code into it",
    UNTOUCHED,
    "build the host without -fsanitize=thread; AddressSanitizer and UBSan work",
  ]);

export const wrongArchitecture = (what: string, detail: string, running: string): ErrorReport =>
  make("wrong-architecture", [
    `cannot use ${what}: wrong architecture`,
    detail,
    running,
    "build for x86_64 (64-bit little-endian ELF), the only architecture hotpatch patches today",
  ]);

export const attachFailed = (
  pid: number,
  detail: string,
  running = "what it ran before, as far as hotpatch can tell",
): ErrorReport =>
  make("attach-failed", [
    `cannot attach to pid ${pid}`,
    detail,
    running,
    "rerun with -vv --log FILE and read the log; `hotpatch attach` can be retried",
  ]);

export const spawnFailed = (program: string, detail: string): ErrorReport =>
  make("spawn-failed", [
    `cannot start ${program}`,
    detail,
    "nothing: no process was started",
    "check the path, its execute permission, and the libraries it needs (`ldd`)",
  ]);

export const noBackend = (wanted: string, detail: string): ErrorReport =>
  make("no-backend", [
    `no usable Frida backend (requested: ${wanted})`,
    detail,
    UNTOUCHED,
    "in a clone run `npm run setup`; elsewhere `python3 -m pip install frida`, or `npm rebuild frida --ignore-scripts=false`; HOTPATCH_PYTHON selects another Python",
  ]);

export const bridgeDied = (pid: number, detail: string): ErrorReport =>
  make("bridge-died", [
    `the connection to pid ${pid} broke`,
    detail,
    "generation 0: the agent restored the host's own code when the connection broke; the host keeps running",
    `attach again: hotpatch attach ${pid}`,
  ]);

/** @param copies where its copies were left; null if there are none */
export const targetDied = (pid: number, detail: string, copies: string | null = null): ErrorReport =>
  make("target-died", [
    `pid ${pid} died unexpectedly`,
    detail,
    "nothing: the process is gone",
    `look at the core dump or the host's own log; copies are named <library>.g<generation>.so in its backtrace${copies === null ? "" : `, and stay in ${copies} for a day`}`,
  ]);

export const targetReplaced = (pid: number, detail: string): ErrorReport =>
  make("target-replaced", [
    `pid ${pid} has executed another program`,
    detail,
    "the new program, which was not touched",
    `attach again: hotpatch attach ${pid}`,
  ]);

// Libraries and artifacts ---------------------------------------------------------------------------------------------

export const libraryNotFound = (path: string, detail: string): ErrorReport =>
  make("library-not-found", [
    `no such library: ${path}`,
    detail,
    UNTOUCHED,
    "check the path given to --library, or give the command that builds it with --build",
  ]);

/** For commands that read files and have no target. */
export const unreadableFile = (path: string, detail: string): ErrorReport =>
  make("library-not-found", [`cannot read ${path}`, detail, UNTOUCHED, "check the path and the read permission"]);

/** Nothing can be patched until the host loads a library. */
export const nothingFollowed = (host: string, functions: boolean): ErrorReport =>
  make("no-marks", [
    `nothing in ${host} can be patched yet`,
    "no library with marked functions has been loaded",
    "the host's own code",
    functions
      ? "name the library: --functions patches unmarked functions of what --library names"
      : "mark functions with HOTPATCH, or name a library with --library and functions with --functions; the session continues and adopts what the host loads",
  ]);

export const libraryNotLoaded = (library: string, host: string): ErrorReport =>
  make("library-not-loaded", [
    `${library} is not loaded in ${host}`,
    "no loaded module has this file name or SONAME",
    "the host's own code",
    "hotpatch is waiting: the library is adopted as soon as the host loads it",
  ]);

export const closedAtOnce = (library: string): ErrorReport =>
  make("library-not-loaded", [
    `${library} is not patched: the host closes it as soon as it has opened it`,
    "it was closed three times before it could be pinned",
    "the host's own code",
    "hotpatch is waiting: the library is adopted when the host keeps it open",
  ]);

export const noMarks = (library: string, running: string): ErrorReport =>
  make("no-marks", [
    `${library} has no marked functions`,
    "it has no section named hotpatch or hotpatci",
    running,
    'include "hotpatch.h", put HOTPATCH before a function, and build without HOTPATCH_DISABLE; in Rust, use #[hotpatch_mark::hotpatch]',
  ]);

export const strippedMarks = (library: string, bytes: number, running: string): ErrorReport =>
  make("stripped-marks", [
    `${library}: ${bytes} bytes of marked code have no symbol`,
    "the library is stripped, and hidden or static functions lose their names with .symtab",
    running,
    "do not strip the library during development, or give the marked functions default visibility",
  ]);

export const marksInExecutable = (host: string, functions: number, running = "the host's own code"): ErrorReport =>
  make("marks-in-executable", [
    `${functions === 1 ? "1 marked function is" : `${functions} marked functions are`} in the executable ${host} itself`,
    "an executable cannot be rebuilt into a library copy",
    running,
    "move the marked functions into a shared library that the executable links or opens",
  ]);

export const mappedArtifact = (library: string, path: string, detail: string | null, running: string): ErrorReport =>
  make("mapped-artifact", [
    `${library} is mapped from the very file its build writes`,
    `writing to ${path} in place changes the running code, and truncating it kills the host${detail === null ? "" : `; not staged: ${detail}`}`,
    running,
    "replace the file instead (ld, gold, lld, mold, cargo and install do; cp and shell redirection do not), or start the host with `hotpatch spawn`, which detaches the library from its file",
  ]);

export const entryTooSmall = (name: string, detail: string, running: string): ErrorReport =>
  make("entry-too-small", [
    `${name} cannot be patched`,
    detail,
    running,
    "mark it with HOTPATCH from hotpatch.h or Rust's #[hotpatch], which gives every marked function an 8-byte entry",
  ]);

export const entryUnsafe = (name: string, detail: string, running: string): ErrorReport =>
  make("entry-unsafe", [
    `${name} cannot be patched without a mark`,
    detail,
    running,
    "mark it with HOTPATCH from hotpatch.h: a marked entry is a single instruction, safe to replace at any time",
  ]);

export const untrustedBuild = (names: string, detail: string, running: string, cure: string): ErrorReport =>
  make("untrusted-build", [
    `${names} cannot be patched as built`,
    detail,
    running,
    `${cure}; what the host has already loaded stays as built until it is restarted`,
  ]);

export const noMatch = (library: string, globs: string, running: string): ErrorReport =>
  make("no-match", [
    `--functions ${globs} patches nothing in ${library}`,
    "no function symbol of the library matches, or those that do were refused",
    running,
    "`hotpatch inspect --functions '*' <library>` lists the names and why each cannot be patched; * and ? are wildcards",
  ]);

export const goneFile = (library: string, path: string, running: string): ErrorReport =>
  make("untrusted-build", [
    `unmarked functions of ${library} cannot be patched`,
    `the file that the target loaded from ${path} is gone or was replaced, so it is unknown how it was built`,
    running,
    "restart the host, or start it with `hotpatch spawn`",
  ]);

export const ambiguousName = (name: string, detail: string, running: string): ErrorReport =>
  make("ambiguous-name", [
    `${name} is the name of several functions`,
    detail,
    running,
    "rename them: they cannot be told apart after a rebuild",
  ]);

export const artifactIncomplete = (path: string, detail: string, running: string): ErrorReport =>
  make("artifact-incomplete", [
    `${path} is incomplete`,
    detail,
    running,
    "wait until it has been written: a session rereads it when it next changes",
  ]);

export const artifactInvalid = (path: string, detail: string, running: string): ErrorReport =>
  make("artifact-invalid", [
    `${path} cannot be loaded`,
    detail,
    running,
    "check that the build writes a shared library to this path",
  ]);

export const executableGiven = (path: string, detail: string, running: string): ErrorReport =>
  make("artifact-invalid", [
    `${path} is an executable, not a shared library`,
    detail,
    running,
    "name a shared library that the host loads: only functions in shared libraries can be patched",
  ]);

export const copyFailed = (path: string, detail: string, running: string): ErrorReport =>
  make("copy-failed", [
    `cannot make a copy of ${path} for the target`,
    detail,
    running,
    "free some space or fix the permissions; TMPDIR selects another folder",
  ]);

/** Detected before anything is touched. `detail`: one line for each folder that was tried. */
export const noPlace = (pid: number, detail: string): ErrorReport =>
  make("copy-failed", [
    `no folder for copies that pid ${pid} can load code from`,
    detail,
    UNTOUCHED,
    "make one of these writable for both, not noexec, with enough free space, or set TMPDIR to another",
  ]);

/** Detected just before the load. */
export const copyUnseen = (path: string, copy: string, running: string): ErrorReport =>
  make("copy-failed", [
    `cannot make a copy of ${path} that the target can see`,
    `in the target, ${copy} is not what hotpatch wrote there: the file was changed, or something is mounted over it`,
    running,
    "find out who else writes there; TMPDIR selects another folder",
  ]);

export const unsafeFolder = (path: string, detail: string): ErrorReport =>
  make("unsafe-folder", [
    `cannot safely keep a target's copies under ${path}`,
    detail,
    UNTOUCHED,
    "set TMPDIR to a folder of your own, for example one made with `mkdir -m 700 ~/.hotpatch-tmp`",
  ]);

export const loadFailed = (library: string, generation: number, detail: string, running: string): ErrorReport =>
  make("load-failed", [
    `the target's loader refused generation ${generation} of ${library}`,
    detail,
    running,
    "define what is missing, and rebuild",
  ]);

/** Generation 0 got the symbol from a library that itself depends on it; a copy is loaded on its own. */
export const loadUnlinked = (
  library: string,
  generation: number,
  detail: string,
  definers: readonly string[],
  running: string,
): ErrorReport =>
  make("load-failed", [
    `the target's loader refused generation ${generation} of ${library}`,
    `${detail}\n${definers.join(", ")} defines it, but ${library} does not list that as needed (DT_NEEDED), and the host opened it with RTLD_LOCAL`,
    running,
    `link ${library} against ${definers[0] ?? "the other library"} too, or open that one with RTLD_GLOBAL`,
  ]);

/** The target has no room for a copy, or for the thread that loads it. */
export const noRoom = (library: string, generation: number, detail: string, running: string): ErrorReport =>
  make("load-failed", [
    `the target has no room for generation ${generation} of ${library}`,
    detail,
    running,
    "check the target's limits (/proc/PID/limits, raised with prlimit; its control group), and how much memory the library takes (`size`)",
  ]);

export const loadTimeout = (library: string, generation: number, detail: string, running: string): ErrorReport =>
  make("load-timeout", [
    `loading generation ${generation} of ${library} timed out`,
    detail,
    running,
    "until the copy's constructor returns nothing can be loaded, and the host's own dlopen blocks too; use hotpatch_is_patched() to skip start-up work in copies",
  ]);

export const hookTimeout = (library: string, hook: string, detail: string, running: string): ErrorReport =>
  make("hook-timeout", [
    `${hook} of ${library} timed out`,
    detail,
    running,
    "its thread runs until the hook returns; keep hooks short, or raise --hook-timeout",
  ]);

export const hookUncalled = (library: string, hook: string, detail: string, running: string): ErrorReport =>
  make("hook-timeout", [
    `${hook} of ${library} was not called`,
    detail,
    running,
    "check the target's limits: /proc/PID/limits, its control group",
  ]);

export const signatureChanged = (library: string, detail: string, running: string): ErrorReport =>
  make("signature-changed", [
    `the new build of ${library} changes a signature that running callers were compiled against`,
    detail,
    running,
    "restart the host for this change, undo it, or rename the changed function",
  ]);

export const layoutChanged = (library: string, detail: string, running: string): ErrorReport =>
  make("layout-changed", [
    `the new build of ${library} changes the layout of live data`,
    detail,
    running,
    "restart the host for this change, or undo it",
  ]);

// Commands and settings -----------------------------------------------------------------------------------------------

export const rebuildLoop = (path: string, running: string): ErrorReport =>
  make("rebuild-loop", [
    `the build writes ${path}, which starts the build again`,
    "it changed during three builds in a row that it had started itself; it starts no more until something else changes",
    running,
    "have git ignore it, write it only when its contents change, or give narrower folders with --watch; if it was you who saved it, save it once more",
  ]);

export const polledFolder = (folder: string, kind: string, ms: number, running: string): ErrorReport =>
  make("polled-folder", [
    `sources in ${folder} are also looked at every ${ms} ms`,
    `it is in ${kind}: the system does not tell of what others change there, from another machine or from outside a container`,
    running,
    "what is saved on this machine is noticed at once; --poll MS looks more or less often, and says no more of this",
  ]);

export const buildFailed = (command: string, exitCode: number | null, output: string, running: string): ErrorReport =>
  make("build-failed", [
    `the build failed${exitCode === null ? "" : ` with exit code ${exitCode}`}: ${command}`,
    output,
    running,
    "fix the error, and start hotpatch again",
  ]);

export const noSuchGeneration = (library: string, generation: number, known: string, running: string): ErrorReport =>
  make("no-such-generation", [
    `${library} has no generation ${generation}`,
    `known: ${known}`,
    running,
    "choose one of these; 0 is the host's own code",
  ]);

export const badCommand = (line: string, detail: string, running: string): ErrorReport =>
  make("bad-command", [
    `cannot execute the command ${line}`,
    detail,
    running,
    'one JSON object per line: {"command":"build" | "rollback" | "preview" | "reload" | "status" | "end"}; rollback and preview name a generation',
  ]);

export const badConfig = (path: string, detail: string): ErrorReport =>
  make("bad-config", [
    `cannot use the settings in ${path}`,
    detail,
    UNTOUCHED,
    "see docs/hotpatch.schema.json for what is allowed",
  ]);

export const untrustedConfig = (path: string, detail: string): ErrorReport =>
  make("untrusted-config", [
    `${path} was found, not named, and is not trusted`,
    detail,
    UNTOUCHED,
    `read it; to allow it, name it with --config ${path} (or give the build with --build), or run hotpatch once in a terminal and answer yes; or put your own hotpatch.json closer to where you work`,
  ]);

export const usage = (message: string, detail: string): ErrorReport =>
  make("usage", [message, detail, UNTOUCHED, "see `hotpatch --help`"]);

export const logLost = (path: string, detail: string): ErrorReport =>
  make("log-lost", [
    `the log ${path} can no longer be written`,
    detail,
    "what it ran: the session continues without a log",
    "free some space; the next session logs again",
  ]);

export const internal = (attempted: string, detail: string, running: string): ErrorReport =>
  make("internal", [
    attempted,
    detail,
    running,
    "this is a bug in hotpatch: please report it with the log of a run with -vv --log FILE",
  ]);

/** The report for anything thrown: a HotpatchError's own, otherwise an internal error. */
export function reportOf(thrown: unknown, attempted: string, running: string): ErrorReport {
  if (thrown instanceof HotpatchError) return thrown.report;
  return internal(attempted, wordsOf(thrown), running);
}
