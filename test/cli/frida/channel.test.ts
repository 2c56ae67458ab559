/** The link between cli and bridge, with two functions instead of processes. */
import test from "ava";
import { type BridgeEvent, Channel, LinkClosed, RemoteError } from "../../../cli/frida/channel.js";

function open() {
  const sent: { id: number; op: string }[] = [];
  const heard: BridgeEvent[] = [];
  const channel = new Channel(
    (line) => sent.push(JSON.parse(line) as { id: number; op: string }),
    (event) => heard.push(event),
  );
  return { sent, heard, channel };
}

test("answers are matched to their requests, in any order and in any pieces", async (t) => {
  const { sent, channel } = open();
  const first = channel.request("attach", { pid: 1 });
  const second = channel.request("resume", { pid: 2 });
  t.deepEqual(sent, [
    { id: 1, op: "attach", pid: 1 },
    { id: 2, op: "resume", pid: 2 },
  ] as never);
  const text = '{"id":2,"ok":"two"}\n{"id":1,"ok":"one"}\n';
  for (const character of text) channel.receive(character);
  t.is(await first, "one");
  t.is(await second, "two");
});

test("an error carries the other side's type and message", async (t) => {
  const { channel } = open();
  const request = channel.request("attach", { pid: 1 });
  channel.receive('{"id":1,"error":{"type":"PermissionDeniedError","message":"no"}}\n');
  const error = await t.throwsAsync(request, { instanceOf: RemoteError, message: "no" });
  t.is(error.type, "PermissionDeniedError");
});

test("an agent's error keeps its own message; its stack is kept for -v", async (t) => {
  const { channel } = open();
  const request = channel.request("resume", { pid: 1 });
  const message = "Error: already replaced\\n    at adopt (/dist/agent/redirect.js:93:36)";
  channel.receive(`{"id":1,"error":{"type":"RPCException","message":"${message}"}}\n`);
  const error = await t.throwsAsync(request, { instanceOf: RemoteError, message: "Error: already replaced" });
  t.regex(error.stack ?? "", /redirect\.js:93:36/);
});

test("when the link closes, every pending and every later request fails with the same reason", async (t) => {
  const { channel } = open();
  const pending = [channel.request("attach", { pid: 1 }), channel.request("resume", { pid: 2 })];
  channel.close("the bridge ended with SIGKILL");
  for (const request of [...pending, channel.request("resume", { pid: 3 })])
    await t.throwsAsync(request, { instanceOf: LinkClosed, message: "the bridge ended with SIGKILL" });
});

test("events are passed on; an answer nobody waits for is dropped; anything else is an error", (t) => {
  const { heard, channel } = open();
  channel.receive('{"event":"detached","pid":7,"reason":"process-terminated","crash":null}\n{"id":99,"ok":null}\n');
  t.is(heard[0]?.event, "detached");
  t.throws(() => channel.receive('{"event":"unheard of"}\n'));
  t.throws(() => channel.receive("no JSON\n"));
});
