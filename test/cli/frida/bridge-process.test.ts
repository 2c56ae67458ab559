/** How a bridge ends, with a fake bridge in its place: however it ends, the cli is told. */
import { chmodSync, readFileSync } from "node:fs";
import test, { type ExecutionContext } from "ava";
import { HotpatchError } from "../../../cli/errors.js";
import { openBridge } from "../../../cli/frida/bridge.js";
import { BRIDGE_PROTOCOL } from "../../../schemas/protocol.js";
import { Workshop } from "../../support/workshop.js";

/**
 * Starts like a bridge, and on the first request runs `what` in sh. Before that it starts a process that keeps its standard
 * error open, as a wrapper around the real one would (HOTPATCH_PYTHON may name one).
 */
async function open(t: ExecutionContext, what: string) {
  const shop = new Workshop(t);
  const program = shop.write(
    "bridge",
    `#!/bin/sh
sleep 600 < /dev/null > /dev/null &
echo $! > ${shop.path("sleeper")}
echo '{"event":"ready","protocol":${BRIDGE_PROTOCOL},"frida":"17","python":"3","pid":1}'
read request
${what}
`,
  );
  chmodSync(program, 0o755);
  const backend = await openBridge({ command: program, packages: null });
  shop.owns(Number(readFileSync(shop.path("sleeper"), "utf8")));
  return backend;
}

for (const [title, what, detail] of [
  [
    "a bridge that does not keep to the contract",
    "echo garbage; exec sleep 600",
    /exited with SIGKILL: it sent what is not/,
  ],
  ["a bridge that is killed", "echo oh >&2; kill -KILL $$", /exited with SIGKILL: oh/],
  ["a bridge that exits by itself", "exit 7", /exited with exit code 7/],
] as const)
  test(`${title} counts as ended, even while another process keeps its standard error open`, async (t) => {
    t.timeout(20_000);
    const backend = await open(t, what);
    const error = await t.throwsAsync(backend.attach(process.pid, ""), { instanceOf: HotpatchError });
    t.regex(error.report.detail, detail);
    await backend.close();
  });

test("a bridge's last message is read before its end, even while another process keeps its stderr open", async (t) => {
  t.timeout(20_000);
  const backend = await open(t, `echo '{"id":1,"error":{"type":"NoCarrier","message":"no quiet moment"}}'; exit 0`);
  const error = await t.throwsAsync(backend.attach(process.pid, ""), { instanceOf: HotpatchError });
  t.is(error.report.code, "unsupported-host");
  t.is(error.report.detail, "no quiet moment");
  await backend.close();
});
