/**
 * C++: every kind of function that can be marked reaches its new body, at every optimisation level. One host holds an
 * object, a pointer and a std::function from before the first switch; its own output is the witness.
 */

import { has } from "../cli/binary/fixtures.js";
import { DLOPEN_HOST } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

const HEADER = `
#pragma once
#include <functional>
#include <string>
#include "hotpatch.h"
struct shape {
  virtual int area(int x);
  virtual ~shape();
};
struct square : shape {
  int side;
  HOTPATCH explicit square(int n);
  HOTPATCH ~square() override;
  int area(int x) override;
  int method(int x) const;
  static int of_class(int x);
  HOTPATCH_INLINE int in_class(int x) const { return GENERATION * 100 + x + side * 0; }
  square operator+(const square &other) const;
};
namespace outer { namespace inner { int overloaded(int x); int overloaded(double x); } }
shape *make();
square add(const square &a, const square &b);
int inline_in_class(const square &s, int x);
std::string text(const std::string &before);
int call(const std::function<int(int)> &f, int x);
int throws(int x);
int catches(int (*f)(int), int x);
extern "C" int plain(int x);
int through_static(int x);
int (*pointer_to_static())(int);
`;

const LIBRARY = `
#include "game.h"
#include <stdexcept>
HOTPATCH int shape::area(int x) { return x; }
shape::~shape() {}
HOTPATCH square::square(int n) : side(n + GENERATION * 0) { made_by(GENERATION); }
HOTPATCH square::~square() { ended_by(GENERATION); }
HOTPATCH int square::area(int x) { return GENERATION * 100 + x; }
HOTPATCH int square::method(int x) const { return GENERATION * 100 + x + side * 0; }
HOTPATCH int square::of_class(int x) { return GENERATION * 100 + x; }
HOTPATCH square square::operator+(const square &other) const { return square(side + other.side + GENERATION * 100); }
namespace outer { namespace inner {
HOTPATCH int overloaded(int x) { return GENERATION * 100 + x; }
HOTPATCH int overloaded(double x) { return GENERATION * 100 + int(x) + 1; }
} }
shape *make() { return new square(7); }
int inline_in_class(const square &s, int x) { return s.in_class(x); }
HOTPATCH std::string text(const std::string &before) { return before + "-" + std::to_string(GENERATION) + std::string(40, '.'); }
HOTPATCH int call(const std::function<int(int)> &f, int x) { return GENERATION * 100 + f(x); }
HOTPATCH int throws(int x) { throw std::runtime_error("thrown by " + std::to_string(GENERATION) + " " + std::to_string(x)); }
HOTPATCH int catches(int (*f)(int), int x) {
  try { return f(x); } catch (const std::exception &e) { return GENERATION * 100 + int(std::string(e.what()).size()); }
}
extern "C" HOTPATCH int plain(int x) { return GENERATION * 100 + x; }
#if STATICS
HOTPATCH_STATIC static int hidden(int x) { return GENERATION * 100 + x; }
#else
static int hidden(int x) { return plain(x); }
#endif
HOTPATCH int through_static(int x) { return hidden(x); }
int (*pointer_to_static())(int) { return hidden; }
`;
const LIFE = `
#include <cstdio>
static inline void made_by(int g) { if (g > 0) { std::printf("made by %d\\n", g); } }
static inline void ended_by(int g) { if (g > 0) { std::printf("ended by %d\\n", g); } }
`;

const HOST = `
#include <cstdio>
#include <stdexcept>
#include <unistd.h>
#include "game.h"
static int host_throws(int x) { throw std::runtime_error(x > 0 ? "host" : "?"); }
int main() {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  shape *old_object = make();
  square value(3);
  int (*old_pointer)(int) = pointer_to_static();
  int (square::*old_member)(int) const = &square::method;
  std::function<int(int)> old_function = [](int x) { return square::of_class(x); };
  for (int i = 0; i < 30000; i++) {
    std::string thrown;
    try { throws(5); } catch (const std::exception &e) { thrown = e.what(); }
    std::printf("virtual %d method %d member %d static-method %d function %d operator %d inline %d overloads %d %d plain %d static %d pointer %d text %s call %d thrown %s catches %d\\n",
      old_object->area(1), value.method(1), (value.*old_member)(1), square::of_class(1), old_function(1),
      (value + value).side / 100, inline_in_class(value, 1), outer::inner::overloaded(1), outer::inner::overloaded(1.0), plain(1),
      through_static(1), old_pointer(1), text("a-string-too-long-for-the-small-buffer").substr(38, 2).c_str(),
      call([](int x) { return x + 1; }, 1), thrown.c_str(), catches(host_throws, 1));
    usleep(20000);
  }
}
`;

const expected = (n: number): string => {
  const g = n * 100 + 1;
  return (
    `virtual ${g} method ${g} member ${g} static-method ${g} function ${g} operator ${n} inline ${g} overloads ${g} ${g + 1} plain ${g} ` +
    `static ${g} pointer ${g} text -${n} call ${g + 1} thrown thrown by ${n} 5 catches ${n * 100 + 4}`
  );
};

const BUILDS = [
  { compiler: "g++", flags: "-O0" },
  { compiler: "g++", flags: "-O2 -fvisibility-inlines-hidden -ffunction-sections -Wl,--gc-sections" },
  { compiler: "g++", flags: "-Os -s", stripped: true },
  { compiler: "g++", flags: "-O3 -flto" },
  { compiler: "clang++", flags: "-O0" },
  { compiler: "clang++", flags: "-O2 -fuse-ld=lld -Wl,--icf=all -ffunction-sections -Wl,--gc-sections" },
  { compiler: "clang++", flags: "-Os -s" },
  { compiler: "clang++", flags: "-O3 -flto -fuse-ld=lld" },
].filter(({ compiler }) => has(compiler));

for (const { compiler, flags, stripped = false } of BUILDS)
  test(`functions, methods, overloads, operators, constructors and exceptions reach their new bodies (${compiler} ${flags})`, async (t) => {
    const shop = new Workshop(t);
    shop.write("game.h", HEADER);
    // A static's name is gone from a stripped library: there it is not marked.
    const statics = compiler === "g++" && !stripped ? 1 : 0;
    const build = (n: number) =>
      shop.library(
        "libgame.so",
        `#define GENERATION ${n}\n#define STATICS ${statics}\n${LIFE}${LIBRARY}`,
        [...flags.split(" "), `-I${shop.folder}`],
        compiler,
      );
    const lib = await build(0);
    const main = shop.write("host.cpp", `#define GENERATION 0\n${HOST}`);
    const host = await shop.compile("host", [main, `-I${shop.folder}`, lib, `-Wl,-rpath,${shop.folder}`], "g++");
    const tool = Tool.spawn(shop, ["--", host]);
    await tool.prints(expected(0));
    for (const n of [1, 2]) {
      await build(n);
      const { functions } = await tool.switched(n);
      t.deepEqual(
        functions.filter((one) => one.status === "refused" || one.status === "missing"),
        [],
      );
      await tool.prints(expected(n));
      await tool.prints(`made by ${n}`);
      await tool.prints(`ended by ${n}`);
    }
    tool.send({ command: "rollback", generation: 1 });
    await tool.switched(1, tool.events.length);
    await tool.prints(expected(1), tool.output.all.length);
    tool.send({ command: "rollback", generation: 0 });
    await tool.switched(0, tool.events.length);
    await tool.prints(expected(0), tool.output.all.length);
    t.is(await tool.end(), 0);
  });

/** What a failing or a warning compiler says; "" when it says nothing. */
async function said(shop: Workshop, source: string, compiler: string): Promise<string> {
  const args = ["-Wall", "-Wextra", "-fPIC", "-shared", shop.write("said.cpp", source)];
  return shop.compile("said.so", args, compiler).then(
    () => "",
    (error: Error & { stderr: string }) => error.stderr,
  );
}

for (const compiler of ["g++", "clang++"].filter(has))
  test(`instances of marked templates, and inline functions that the host has too, reach their new bodies (${compiler})`, async (t) => {
    const shop = new Workshop(t);
    const header = `
      #pragma once
      #include "hotpatch.h"
      int generation();
      template <class T> HOTPATCH_INLINE T doubled(T x) { return T(GENERATION * 100) + x + x; }
      template <class T> struct box {
        HOTPATCH_INLINE T get(T x) { return T(GENERATION * 100) + x; }
        HOTPATCH_INLINE T out(T x);
      };
      template <class T> HOTPATCH_INLINE T box<T>::out(T x) { return T(GENERATION * 100) + x; }
      HOTPATCH_INLINE inline int inlined(int x) { return GENERATION * 100 + x; }
      int old_caller(int x);
    `;
    shop.write("game.h", header);
    const build = (n: number) =>
      shop.library(
        "libgame.so",
        `#define GENERATION ${n}
        #include "game.h"
        int old_caller(int x) { box<int> b; return doubled(x) + b.get(x) + b.out(x) + inlined(x); }
        HOTPATCH int use(int x) { return old_caller(x); }`,
        [`-I${shop.folder}`],
        compiler,
      );
    const lib = await build(0);
    const main = shop.write(
      "host.cpp",
      `#define GENERATION 0
      #include "game.h"
      #include <cstdio>
      #include <unistd.h>
      int main() {
        setvbuf(stdout, nullptr, _IOLBF, 0);
        box<int> b;
        for (int i = 0; i < 30000; i++) {
          std::printf("library %d host %d %d %d %d\\n", old_caller(1), doubled(1), b.get(1), b.out(1), inlined(1));
          usleep(20000);
        }
      }`,
    );
    const args = [main, `-I${shop.folder}`, lib, `-Wl,-rpath,${shop.folder}`];
    const tool = Tool.spawn(shop, ["--", await shop.compile("host", args, compiler)]);
    await tool.prints("library 5 host 2 1 1 1");
    await build(1);
    await tool.switched(1);
    await tool.prints("library 405 host 102 101 101 101");
    tool.send({ command: "rollback", generation: 0 });
    await tool.prints("library 5 host 2 1 1 1", tool.output.all.length);
    t.is(await tool.end(), 0);
    t.deepEqual(
      tool.events.filter((e) => e.type === "warning"),
      [],
    );
  });

test("gcc: a destructor that is not marked inside its class is refused, with what to do", async (t) => {
  const shop = new Workshop(t);
  const source = (n: number) => `
    #include "hotpatch.h"
    struct thing { int x; thing(int n); };
    extern "C" HOTPATCH int value(int x) { thing t(x); return t.x; }
    HOTPATCH thing::thing(int n) : x(n * ${n}) {}
  `;
  const lib = await shop.library("libgame.so", source(1), ["-O0"], "g++");
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 1");
  const { code, detail } = await tool.next("warning", (e) => e.code === "entry-too-small");
  t.is(code, "entry-too-small");
  t.regex(detail, /constructor or destructor must be marked inside its class too/);
  await shop.library("libgame.so", source(2), ["-O0"], "g++");
  await tool.switched(1);
  await tool.prints("value 2"); // value's own call is the copy's
  t.is(await tool.end(), 0);
});

test("two functions that shared one entry and part in a later build are refused: callers cannot be told apart", async (t) => {
  const shop = new Workshop(t);
  const source = (apart: boolean) => `
    #include "hotpatch.h"
    HOTPATCH int value(int x) { return x * 7; }
    ${apart ? "HOTPATCH int other(int x) { return x * 9; }" : 'int other(int x) __attribute__((alias("value")));'}
  `;
  const lib = await shop.library("libgame.so", source(false));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 7");
  await shop.library("libgame.so", source(true));
  const { code, detail, running } = await tool.next("generation:refused");
  t.is(code, "ambiguous-name");
  t.is(running, 0);
  t.regex(detail, /other and value|value and other/);
  await tool.prints("value 7", tool.output.all.length);
  t.is(await tool.end(), 0);
});

test("lambdas cannot be marked: gcc says so, and with clang their names are only positions", async (t) => {
  const shop = new Workshop(t);
  const source = '#include "hotpatch.h"\nint use(int x) { auto f = [](int y) HOTPATCH { return y; }; return f(x); }';
  t.regex(await said(shop, source, "g++"), /ms_hook_prologue.*not compatible with nested function/);
});

for (const compiler of ["g++", "clang++"])
  (has(compiler) ? test : test.skip)(
    `${compiler}: a new override reaches new objects only, and the switch says so`,
    async (t) => {
      const shop = new Workshop(t);
      const shapes = (declared: string, defined: string) => `
        #include "hotpatch.h"
        struct Shape { virtual int area(int x); };
        struct Square : Shape { ${declared} };
        HOTPATCH int Shape::area(int x) { return x; }
        ${defined}
        HOTPATCH_STATE(Shape *, live, nullptr);
        extern "C" HOTPATCH int value(int x) {
          if (!HOTPATCH_GET(live)) HOTPATCH_GET(live) = new Square;
          Shape *fresh = new Square;
          return HOTPATCH_GET(live)->area(x) + 10 * fresh->area(x);
        }`;
      const lib = await shop.library("libgame.so", shapes("", ""), ["-O1"], compiler);
      const tool = Tool.spawn(shop, ["-l", lib, "--", await shop.host("host", DLOPEN_HOST), lib]);
      await tool.prints("value 11");
      const override = (n: number) =>
        shapes("HOTPATCH int area(int x) override;", `HOTPATCH int Square::area(int x) { return x * ${n}; }`);
      await shop.library("libgame.so", override(5), ["-O1"], compiler);
      const { functions } = await tool.switched(1);
      t.is(
        functions.find(({ status }) => status === "new")?.reason,
        "objects that exist already keep calling Shape::area(int)",
      );
      await tool.prints("value 51");
      t.is(await tool.end(), 0);
    },
  );
