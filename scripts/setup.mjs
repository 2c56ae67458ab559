/**
 * Everything a fresh clone needs, and nothing twice: npm packages, and a Frida binding (npm's where it loads, else the
 * Python wheel in .hotpatch-python). Node's own modules only: it runs before node_modules exists.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

const WHEEL = ".hotpatch-python";
const OLDEST_NODE = [20, 19];

function fail(problem, cure) {
  console.error(`setup: ${problem}\n       ${cure}`);
  process.exit(1);
}

const hash = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");
const stamped = (stamp, key) => existsSync(stamp) && readFileSync(stamp, "utf8") === key;
const answers = (command, args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
/** Output goes to stderr: stdout belongs to whoever called. */
const run = (command, args, env = process.env) =>
  spawnSync(command, args, { stdio: ["ignore", 2, 2], env }).status === 0;

/** npm inside `npm run` would take its caller's settings for its own. */
function cleanEnvironment() {
  const keep = /cache|registry|proxy|cafile|userconfig/i;
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(config|lifecycle|package|command)_/i.test(name) || keep.test(name),
    ),
  );
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [wantedMajor, wantedMinor] = OLDEST_NODE;
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor))
    fail(`node ${process.versions.node} is too old`, `install node ${OLDEST_NODE.join(".")} or newer`);
}

function checkCompiler() {
  if (!["cc", "gcc", "clang"].some((compiler) => answers(compiler, ["--version"])))
    fail("no C compiler (cc, gcc, clang)", "install one; on Debian and Ubuntu: apt install gcc libc6-dev make");
}

function installPackages() {
  const stamp = "node_modules/.hotpatch-stamp";
  const key = `${hash("package-lock.json")} node ${process.versions.node.split(".")[0]}`;
  if (stamped(stamp, key)) return;
  console.error("setup: npm ci");
  if (!run("npm", ["ci", "--no-audit", "--no-fund"], cleanEnvironment()))
    fail("npm ci failed", "its own words are above; a registry must be reachable");
  writeFileSync(stamp, key);
}

const nativeLoads = () =>
  answers(process.execPath, [
    "-e",
    'import("frida").then((f) => f.getLocalDevice()).then(() => process.exit(0), () => process.exit(1))',
  ]);

function installWheel() {
  const candidates = [process.env.HOTPATCH_PYTHON, "python3", "python"].filter(Boolean);
  const python = candidates.find((p) => answers(p, ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]));
  if (python === undefined)
    fail(
      `no Python 3.9 or newer (tried ${candidates.join(", ")})`,
      "install one (Debian and Ubuntu: apt install python3 python3-pip), or set HOTPATCH_PYTHON to its path",
    );
  const about = spawnSync(python, ["-c", "import sys, platform; print(*sys.version_info[:2], platform.machine())"], {
    encoding: "utf8",
  });
  const key = `${hash("requirements.txt")} ${about.stdout.trim()}`;
  if (stamped(join(WHEEL, ".stamp"), key)) return;
  console.error(`setup: the Frida wheel for ${python}`);
  const building = `${WHEEL}.tmp`;
  rmSync(building, { recursive: true, force: true });
  const pip = [
    "-m",
    "pip",
    "install",
    "-q",
    "--disable-pip-version-check",
    "--no-input",
    "--require-hashes",
    "--only-binary=:all:",
  ];
  if (
    !run(python, [...pip, "--target", building, "-r", "requirements.txt"], {
      ...process.env,
      PIP_ROOT_USER_ACTION: "ignore",
    })
  ) {
    rmSync(building, { recursive: true, force: true });
    fail(
      `${python} -m pip could not install the Frida wheel`,
      "its own words are above; Debian and Ubuntu: apt install python3-pip",
    );
  }
  writeFileSync(join(building, ".stamp"), key);
  rmSync(WHEEL, { recursive: true, force: true });
  renameSync(building, WHEEL);
}

checkNode();
if (process.argv.includes("--compiler")) checkCompiler();
installPackages();
if (process.env.HOTPATCH_NATIVE === "1" && !nativeLoads())
  run("npm", ["rebuild", "frida", "--ignore-scripts=false"], cleanEnvironment());
if (!nativeLoads()) installWheel();
