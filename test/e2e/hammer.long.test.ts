/**
 * Eight threads call marked functions of every kind without a pause, and a timer interrupts them to call some more, while
 * sessions come, switch and go. The threads check every result themselves; test/soak says what for. The long run of the
 * same is `npm run soak`.
 */

import { Bridged } from "../soak/bridged.js";
import { Hammer } from "../soak/hammer.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

/** The tables of the library hold 64 functions at first: they grow at the third generation. */
const GENERATIONS = 3;

test("8 hammering threads see (old, old), (old, new), (new, new), and never (new, old) or anything else", async (t) => {
  const shop = new Workshop(t);
  const hammer = await Hammer.start(shop);
  t.teardown(() => hammer.close());
  const fine = (during: string) => {
    const { impossible, fell, stale, examples } = hammer.seen();
    t.deepEqual({ impossible, fell, stale, examples }, { impossible: 0, fell: 0, stale: 0, examples: [] }, during);
    t.true(hammer.alive, `the host died of ${hammer.host.signalCode} during ${during}`);
  };
  const attach = async () => {
    const tool = Tool.attach(shop, [String(hammer.pid)]);
    await tool.ready();
    const rollback = async (n: number) => {
      const from = tool.events.length;
      tool.send({ command: "rollback", generation: n });
      await tool.switched(n, from);
    };
    return { tool, rollback };
  };

  const { tool, rollback } = await attach();
  for (let n = 1; n <= GENERATIONS; n++) {
    hammer.mayReach(n);
    await Hammer.build(shop, n);
    await tool.switched(n);
    hammer.reached(n);
  }
  fine("loading generations with new functions");
  for (let round = 0; round < 20; round++) {
    await hammer.falling(0, () => rollback(0));
    for (const n of [1, 2, 3]) {
      await rollback(n);
      hammer.reached(n);
    }
  }
  fine("rollbacks");
  hammer.falls();
  for (let i = 0; i < 60; i++) await rollback((i * 7) % 4);
  t.is(await tool.end(), 0);
  hammer.rises(0);
  fine("the session's end");

  const bridged = await Bridged.attach(hammer.pid, "libhammered.so");
  t.teardown(() => bridged.kill());
  for (let round = 0; round < 60; round++) {
    t.deepEqual(await bridged.begin(), [0, 1, 2, 3]);
    for (const n of [1, 2, 3]) {
      await bridged.switchTo(n);
      hammer.reached(n);
    }
    await hammer.falling(0, () => bridged.end());
  }
  await bridged.close();
  fine("60 rounds of installing and restoring");

  hammer.falls();
  const second = await attach();
  await second.rollback(2);
  t.is(await second.tool.end(true), 0);
  const third = await attach();
  third.tool.child.kill("SIGKILL");
  await third.tool.ended;
  fine("a session that kept and one that was killed");

  const { calls, signals, steady, rose } = hammer.seen();
  t.true(rose > 0, "no thread looked while a switch happened: nothing was tested");
  t.log(`${calls} calls, ${signals} handlers, ${steady} looks, a switch in ${rose} of them`);
});
