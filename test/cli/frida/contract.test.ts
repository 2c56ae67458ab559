/** The same tests for both backends: what cli/frida/target.ts promises the session. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { HotpatchError } from "../../../cli/errors.js";
import { openBackend } from "../../../cli/frida/open.js";
import type { Backend, Target, TargetEvent } from "../../../cli/frida/target.js";
import { AGENT_PROTOCOL } from "../../../schemas/protocol.js";
import { DLOPEN_HOST, library } from "../../support/programs.js";
import { Lines, ROOT, Workshop } from "../../support/workshop.js";

const AGENT = readFileSync(join(ROOT, "dist/agent.js"), "utf8");
const BEGIN = {
  protocol: AGENT_PROTOCOL,
  owner: process.pid,
  libraries: null,
  unmarked: false,
  stage: null,
  stopped: false,
};

/** Prints its terminal's width and what it reads; exits with the number it is given. */
const TALKING_HOST = `
  #include <stdio.h>
  #include <stdlib.h>
  #include <sys/ioctl.h>
  int main(void) {
    char line[64];
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("hello\\n");
    while (fgets(line, sizeof line, stdin)) {
      struct winsize size = {0};
      ioctl(0, TIOCGWINSZ, &size);
      printf("%d columns, read %s", size.ws_col, line);
      if (atoi(line) > 0) exit(atoi(line));
    }
    return 0;
  }`;

async function open(t: ExecutionContext, name: "native" | "python"): Promise<Backend> {
  const backend = await openBackend(name);
  t.teardown(() => backend.close());
  return backend;
}

/** A target's output and events. */
function hear(target: Target): { events: TargetEvent[]; output: Lines; exited: Promise<TargetEvent> } {
  const events: TargetEvent[] = [];
  const output = new Lines(null);
  const exited = new Promise<TargetEvent>((resolve) =>
    target.listen((event) => {
      events.push(event);
      if (event.type === "output") output.add(event.data.toString());
      if (event.type === "exited" || event.type === "lost") resolve(event);
    }),
  );
  return { events, output, exited };
}

/** Why a backend cannot be used here; null if it can. */
async function whyNot(name: "native" | "python"): Promise<string | null> {
  try {
    await (await openBackend(name)).close();
    return null;
  } catch (error) {
    return error instanceof HotpatchError ? error.report.detail : String(error);
  }
}

const BACKENDS = [
  { name: "python", missing: await whyNot("python") },
  { name: "native", missing: await whyNot("native") },
] as const;

for (const { name, missing } of BACKENDS) {
  if (missing !== null && name === "python") throw new Error(`the python backend must be there: ${missing}`);
  const check = missing === null ? test : test.skip;
  const titled = (title: string) => (missing === null ? `${name}: ${title}` : `${name}: ${title} (${missing})`);
  const terminal = name === "python";

  check(titled("a spawned host waits for resume, then prints, reads and exits with its own exit code"), async (t) => {
    const shop = new Workshop(t);
    const backend = await open(t, name);
    const argv = [await shop.host("host", TALKING_HOST)];
    const target = await backend.spawn({ argv, env: {}, cwd: shop.folder, cols: 90, rows: 30 }, AGENT);
    shop.owns(target.pid);
    t.true((await target.call("begin", { ...BEGIN, carrier: target.carrier })).ok);
    const { events, output, exited } = hear(target);
    t.deepEqual(events, []);
    await target.resume();
    await output.next((line) => line.startsWith("hello"), "hello");
    await target.input(Buffer.from("one\n"));
    await output.next((line) => line.includes(terminal ? "90 columns, read one" : "read one"), "what was typed");
    await target.resize(120, 40);
    await target.input(Buffer.from("7\n"));
    await output.next((line) => line.includes(terminal ? "120 columns, read 7" : "read 7"), "the new size");
    const end = await exited;
    t.is(end.type, "exited");
    t.deepEqual(end.type === "exited" ? end.outcome : null, { exitCode: 7 });
    await t.throwsAsync(target.call("status", { stacks: null }), {
      instanceOf: HotpatchError,
      message: /^target-died/,
    });
  });

  check(titled("an attached host keeps running after detach, which may be called twice"), async (t) => {
    const shop = new Workshop(t);
    const backend = await open(t, name);
    const lib = await shop.library("libgame.so", library(1));
    const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
    const lines = new Lines(host.stdout);
    await lines.next((line) => line === "value 1", "value 1");
    const target = await backend.attach(host.pid ?? 0, AGENT);
    const begun = await target.call("begin", { ...BEGIN, carrier: target.carrier });
    t.is(begun.ok ? begun.value.libraries[0]?.library : begun.error.detail, "libgame.so");
    t.true((await target.call("end", { keep: false })).ok);
    await target.detach();
    await target.detach();
    await lines.next((line) => line === "value 1", "value 1 after the end", lines.all.length);
  });

  check(titled("a killed target reports its signal, and every later call fails with target-died"), async (t) => {
    const shop = new Workshop(t);
    const backend = await open(t, name);
    const argv = [await shop.host("host", TALKING_HOST)];
    const target = await backend.spawn({ argv, env: {}, cwd: shop.folder, cols: 80, rows: 24 }, AGENT);
    shop.owns(target.pid);
    const { exited } = hear(target);
    await target.resume();
    process.kill(target.pid, "SIGKILL");
    const end = await exited;
    t.deepEqual(end.type === "exited" ? end.outcome : end, { signal: "SIGKILL" });
    await t.throwsAsync(target.call("status", { stacks: null }), {
      instanceOf: HotpatchError,
      message: /^target-died/,
    });
  });

  check(titled("attaching to a process that does not exist is refused, and the backend still works"), async (t) => {
    const backend = await open(t, name);
    await t.throwsAsync(backend.attach(2 ** 22 - 1, AGENT), { instanceOf: HotpatchError });
    await t.throwsAsync(backend.spawn({ argv: ["/no/such/program"], env: {}, cwd: "/", cols: 80, rows: 24 }, AGENT), {
      instanceOf: HotpatchError,
      message: /^spawn-failed/,
    });
    const shop = new Workshop(t);
    const argv = [await shop.host("host", TALKING_HOST)];
    const target = await backend.spawn({ argv, env: {}, cwd: shop.folder, cols: 80, rows: 24 }, AGENT);
    shop.owns(target.pid);
    const { output } = hear(target);
    await target.resume();
    await output.next((line) => line.startsWith("hello"), "hello");
    t.pass();
  });

  check(titled("closing releases every target, and may be done twice"), async (t) => {
    const shop = new Workshop(t);
    const backend = await open(t, name);
    const lib = await shop.library("libgame.so", library(1));
    const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
    const lines = new Lines(host.stdout);
    await lines.next((line) => line === "value 1", "value 1");
    const target = await backend.attach(host.pid ?? 0, AGENT);
    t.true((await target.call("begin", { ...BEGIN, carrier: target.carrier })).ok);
    await backend.close();
    await backend.close();
    await t.throwsAsync(target.call("status", { stacks: null }), { instanceOf: HotpatchError });
    await lines.next((line) => line === "value 1", "value 1 after the end", lines.all.length);
  });
}
