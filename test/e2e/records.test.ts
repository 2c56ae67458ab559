/** Records that were written by hand, as an author of another language would: they name marks and refuse changes. */

import { recorded } from "../cli/binary/fixtures.js";
import { DLOPEN_HOST } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

for (const flags of [["-s"], ["-Wl,-z,pack-relative-relocs"]])
  test(`a mark that only its record names is switched, and a change in its record refused (${flags.join(" ")})`, async (t) => {
    const shop = new Workshop(t);
    const build = (body: string, change = {}) => shop.library("libgame.so", recorded(body, change), flags);
    const lib = await build("x");
    const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
    t.is((await tool.next("library:found")).functions, 1);
    await tool.prints("value 1");
    await build("x * 2");
    t.deepEqual((await tool.switched(1)).functions, [{ name: "game::value", status: "switched", check: "record" }]);
    await tool.prints("value 2");

    await build("x * 3", { hash: 8 });
    const layout = await tool.next("generation:refused");
    t.is(layout.code, "layout-changed");
    t.regex(
      layout.detail,
      /game::value: argument 1: laid out differently.*\n {2}game::Rule: field factor: i32 at 0 -> f32 at 0/,
    );
    await build("x * 3", { signature: "fn(&Rule, i32) -> i32" });
    const signature = await tool.next("generation:refused", (e) => e.code === "signature-changed");
    t.is(signature.detail, "game::value: fn(&Rule) -> i32 -> fn(&Rule, i32) -> i32");
    await tool.prints("value 2", tool.output.all.length);
    t.is(await tool.end(), 0);
  });
