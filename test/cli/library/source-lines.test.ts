/** Where a function is said to be defined: the real compiler, the real addr2line. */
import { execFileSync } from "node:child_process";
import { basename } from "node:path";
import test from "ava";
import { sourcesOf } from "../../../cli/library/source-lines.js";
import { Workshop } from "../../support/workshop.js";

test("a function whose body begins with inlined code of a header is placed in its own file", async (t) => {
  const shop = new Workshop(t);
  const text = `#include <string>\n#include "hotpatch.h"\nHOTPATCH std::string noise() {\n  return "roar";\n}\n`;
  const lib = await shop.library("libzoo.so", text, ["-O2", "-g"], "g++");
  const line = execFileSync("nm", ["-D", lib], { encoding: "utf8" })
    .split("\n")
    .find((one) => one.includes("noise"));
  const sources = await sourcesOf(lib, new Map([["noise", Number.parseInt(line ?? "", 16)]]));
  t.regex(basename(sources.get("noise") ?? ""), /^libzoo.*\.cpp:[345]$/);
});
