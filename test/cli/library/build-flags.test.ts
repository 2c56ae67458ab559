/** Which builds are trusted to call a function without a mark, by what their compilers say of them. */
import test from "ava";
import { whyUntrusted } from "../../../cli/library/build-flags.js";

const GCC = "GNU C17 12.2.0 -mtune=generic -march=x86-64 -g -fPIC";
const CLANG = "Debian clang version 14.0.6";
const FOR_PATCHING = "-fno-inline -flive-patching=inline-only-static";
const INTERPOSABLE = "/usr/bin/clang -O2 -fPIC -fsemantic-interposition -shared";

interface Build {
  readonly producer: string | null;
  readonly optimisation?: "none" | "some" | "untold";
  readonly commandLines?: readonly string[];
}

function untrusted({ producer, optimisation = "some", commandLines = [] }: Build, replaceable: boolean) {
  return whyUntrusted({ producer, ranges: [], optimisation: () => optimisation }, replaceable, commandLines);
}

type Trust = "always" | "where exported" | "never";

/** What is built how, and which of its functions are trusted. */
const BUILDS: readonly (readonly [what: string, build: Build, trust: Trust])[] = [
  ["gcc without a level", { producer: GCC }, "always"],
  ["gcc -O0", { producer: `${GCC} -O0` }, "always"],
  ["gcc whose last level is -O0", { producer: `${GCC} -O2 -O0` }, "always"],
  ["gcc whose last level is -O2", { producer: `${GCC} -O0 -O2` }, "where exported"],
  ["gcc -Og", { producer: `${GCC} -Og` }, "where exported"],
  ["gcc -O2 with the flags for live patching", { producer: `${GCC} -O2 ${FOR_PATCHING}` }, "always"],
  ["gcc -O2 with one of them", { producer: `${GCC} -O2 -fno-inline` }, "where exported"],
  ["gcc -O2 -fno-semantic-interposition", { producer: `${GCC} -O2 -fno-semantic-interposition` }, "never"],
  ["gcc -O2 -fPIE", { producer: `${GCC} -fPIE -O2` }, "never"],
  ["gcc -O2 -fPIE, after which comes -fpic", { producer: `${GCC} -fPIE -fpic -O2` }, "where exported"],
  ["gcc -O2 -fno-pic", { producer: `${GCC} -fno-pic -O2` }, "never"],
  ["gcc -O2 without a word of -fPIC", { producer: "GNU C17 12.2.0 -O2" }, "never"],
  ["gcc -O0 -fPIE", { producer: `${GCC} -fPIE -O0` }, "always"],
  ["gcc -O2 -fPIE with the flags for live patching", { producer: `${GCC} -fPIE -O2 ${FOR_PATCHING}` }, "always"],
  ["gcc -Ofast", { producer: `${GCC} -Ofast` }, "never"],
  ["gcc -fwhole-program", { producer: `${GCC} -O2 -fwhole-program` }, "never"],
  ["g++ -O0", { producer: "GNU C++17 12.2.0 -O0" }, "always"],
  ["clang -O0", { producer: CLANG, optimisation: "none" }, "always"],
  ["clang with optimisation", { producer: CLANG }, "never"],
  ["clang with semantic interposition", { producer: CLANG, commandLines: [INTERPOSABLE] }, "where exported"],
  [
    "clang with semantic interposition, as for an executable",
    { producer: CLANG, commandLines: [`${INTERPOSABLE} -fPIE`] },
    "never",
  ],
  [
    "clang, one of whose files has no semantic interposition",
    { producer: CLANG, commandLines: [INTERPOSABLE, "/usr/bin/clang -O2 -fPIC"] },
    "never",
  ],
  [
    "clang among files of gcc, whose flags say nothing of it",
    { producer: CLANG, commandLines: [INTERPOSABLE, "GNU C17 12.2.0 -O2"] },
    "where exported",
  ],
  ["clang with line tables only", { producer: CLANG, optimisation: "untold" }, "never"],
  ["assembly language", { producer: "GNU AS 2.40" }, "never"],
  ["Rust", { producer: "clang LLVM (rustc version 1.83.0)", optimisation: "none" }, "never"],
  ["a compiler that nobody knows", { producer: "tcc 0.9.27", optimisation: "none" }, "never"],
  ["no producer", { producer: null, optimisation: "none" }, "never"],
];

for (const [what, build, trust] of BUILDS)
  test(`${what}: trusted ${trust}`, (t) => {
    t.is(untrusted(build, true) === null, trust !== "never");
    t.is(untrusted(build, false) === null, trust === "always");
  });

test("a function that no source file claims is not trusted, for want of -g", (t) => {
  t.like(whyUntrusted(null, true, []), { cure: "build with -g (without -gsplit-dwarf)" });
});

test("reason and cure fit the compiler", (t) => {
  const told = (build: Build) => {
    const issue = untrusted(build, false);
    return `${issue?.reason}; ${issue?.cure}`;
  };
  t.regex(told({ producer: `${GCC} -O1 -O3` }), /compiled with gcc -O3.*gcc -O2 -fpatchable-function-entry=16/);
  t.regex(told({ producer: CLANG }), /compiled by clang with optimisation.*clang -O0/);
  t.regex(told({ producer: CLANG, optimisation: "untold" }), /at which level.*-g instead of line tables only/);
  t.regex(told({ producer: "GNU AS 2.40" }), /in assembly.*mark it/);
  t.regex(told({ producer: "clang LLVM (rustc version 1.83.0)" }), /rustc.*#\[hotpatch\]/);
  t.regex(told({ producer: "tcc 0.9.27" }), /its compiler is unknown: tcc 0\.9\.27/);
});
