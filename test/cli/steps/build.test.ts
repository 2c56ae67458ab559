/** The build command: its exit code decides, its last words are kept, and none is cut short. Real shells. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { BuildLoop, startBuild } from "../../../cli/steps/build.js";

const folderOf = (t: ExecutionContext): string => {
  const folder = mkdtempSync(join(tmpdir(), "hotpatch-build-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

test("exit code 0 is finished; any other failed, with both streams", async (t) => {
  const folder = folderOf(t);
  t.is((await startBuild("true", folder, process.env).done).kind, "finished");
  const failed = await startBuild("echo out; echo err >&2; exit 3", folder, process.env).done;
  if (failed.kind !== "failed") return t.fail(failed.kind);
  t.is(failed.exitCode, 3);
  t.deepEqual(failed.output.trim().split("\n").sort(), ["err", "out"]);
});

test("of much output the end is kept", async (t) => {
  const failed = await startBuild("yes line | head -c 1000000; echo last words; exit 1", folderOf(t), process.env).done;
  if (failed.kind !== "failed") return t.fail(failed.kind);
  t.true(failed.output.length <= 64 * 1024);
  t.true(failed.output.endsWith("last words\n"));
});

test("a build that is cancelled ends with all its children", async (t) => {
  const folder = folderOf(t);
  const build = startBuild("sleep 30 & echo $! > child; wait", folder, process.env);
  for (let i = 0; i < 100 && !existsSync(join(folder, "child")); i++) await new Promise((r) => setTimeout(r, 20));
  build.cancel();
  t.is((await build.done).kind, "cancelled");
  const child = Number(readFileSync(join(folder, "child"), "utf8"));
  const gone = () => {
    try {
      return readFileSync(`/proc/${child}/stat`, "latin1").includes(") Z ");
    } catch {
      return true;
    }
  };
  for (let i = 0; i < 100 && !gone(); i++) await new Promise((r) => setTimeout(r, 20));
  t.true(gone());
});

test("a background child that holds the output does not hold the build", async (t) => {
  const folder = folderOf(t);
  t.is((await startBuild("sleep 30 & echo $! > child", folder, process.env).done).kind, "finished");
  const child = Number(readFileSync(join(folder, "child"), "utf8"));
  t.notThrows(() => process.kill(child, "SIGKILL"), "it still ran when the build had ended");
});

test("requests during a build let it end and make one more, which begins once the first one's result is taken", async (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, "slow"), "");
  const said: string[] = [];
  const command = "echo begin >> done; while [ -e slow ]; do sleep 0.02; done; echo end >> done";
  const loop = new BuildLoop(command, folder, process.env, {
    onStarted: () => said.push("started"),
    onFinished: async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      said.push("taken");
    },
    onFailed: () => said.push("failed"),
  });
  t.teardown(() => loop.close());
  const first = loop.once();
  for (let i = 0; i < 100 && !existsSync(join(folder, "done")); i++) await new Promise((r) => setTimeout(r, 20));
  const more = [loop.once(), loop.once(), loop.once()];
  rmSync(join(folder, "slow"));
  t.is((await first).kind, "finished");
  await Promise.all(more);
  t.deepEqual(said, ["started", "taken", "started", "taken"]);
  t.is(readFileSync(join(folder, "done"), "utf8"), "begin\nend\nbegin\nend\n");
});
