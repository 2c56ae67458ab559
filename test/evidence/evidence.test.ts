/** A sample of `npm run evidence`. */
import { spawnSync } from "node:child_process";
import test from "ava";
import { judgeSample } from "./sample.js";

const COMPILERS = ["gcc", "g++", "clang", "clang++"];
const missing = COMPILERS.filter((program) => spawnSync(program, ["--version"]).status !== 0);

(missing.length === 0 ? test : test.skip)(
  `no harmful edit of C and C++ code is told as checked, and no harmless one is refused${missing.map((one) => ` (${one} is missing)`).join("")}`,
  async (t) => {
    await judgeSample(t, ["C", "C++"], 40, ["gcc -O0", "clang -O2"]);
  },
);
