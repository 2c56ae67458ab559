/** Compiles all folders, bundles the agent, and puts the Python scripts beside the programs that start them. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

const PROJECTS = ["schemas", "agent", "cli", "test", "bench"];

function node(program, args) {
  const { status } = spawnSync(process.execPath, [program, ...args], { stdio: ["ignore", 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}

const filesOf = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    : [];

/** Nothing else deletes the output of a removed source: a removed test would go on being run. */
function removeOrphans() {
  for (const project of PROJECTS)
    for (const file of filesOf(join("dist", project))) {
      const source = file.slice("dist/".length).replace(/(\.d\.ts|\.js)(\.map)?$/, "");
      const sources = /\.(py|c)$/.test(source) ? [source] : [`${source}.ts`, `${source}.tsx`];
      if (/\.(js|ts|map|py)$/.test(file) && !sources.some((one) => existsSync(one))) rmSync(file);
    }
}

/** The agent has C compiled inside the target: each file travels in the bundle as a module of its text. */
function wrapC() {
  for (const file of filesOf("agent").filter((file) => file.endsWith(".c"))) {
    const text = `export default ${JSON.stringify(readFileSync(file, "utf8"))};\n`;
    const made = join("dist", `${file}.js`);
    if (existsSync(made) && readFileSync(made, "utf8") === text) continue;
    mkdirSync(dirname(made), { recursive: true });
    writeFileSync(made, text);
  }
}

/** Bundles when a compiled file is newer than the bundle: frida-compile takes seconds. */
function bundleAgent() {
  const inputs = filesOf("dist/agent").filter((file) => file.endsWith(".js"));
  const bundle = "dist/agent.js";
  const made = existsSync(bundle) ? statSync(bundle).mtimeMs : 0;
  if (inputs.every((file) => statSync(file).mtimeMs < made)) return;
  node("node_modules/frida-compile/dist/cli.js", ["dist/agent/index.js", "-S", "-o", bundle]);
}

removeOrphans();
node("node_modules/typescript/bin/tsc", ["-b"]);
wrapC();
bundleAgent();
for (const file of filesOf("cli").filter((file) => file.endsWith(".py"))) {
  mkdirSync(join("dist", dirname(file)), { recursive: true });
  copyFileSync(file, join("dist", file));
}
chmodSync("dist/cli/main.js", 0o755);
