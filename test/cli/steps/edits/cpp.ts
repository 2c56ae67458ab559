/** A C++ program, and which of its functions each edit changes. */
import type { Edit } from "./edit.js";

/** What C++ adds: virtual functions, templates, lambdas, exceptions, statics with guards. */
export const CPP_PROGRAM = `
#include "hotpatch.h"
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>
#ifdef __clang__
#define NOINLINE __attribute__((noinline, optnone))
#else
#define NOINLINE __attribute__((noipa))
#endif
namespace game {
struct Shape {
  virtual ~Shape() {}
  virtual NOINLINE int area(int n) const { return n * 2; }
  virtual NOINLINE const char *title() const { return "a plain shape"; }
};
struct Square : Shape {
  NOINLINE int area(int n) const override { return n * n; }
  NOINLINE const char *title() const override { return "a square shape"; }
};
struct Round : Shape {
  NOINLINE int area(int n) const override { return n * n * 3; }
};
template <class T> NOINLINE T scaled(T x) { return x * 3; }
template <class T> struct Box {
  T value;
  NOINLINE T get() const { return value + 1; }
};
struct Limit { int low, high; };
static constexpr Limit limits[3] = {{1, 2}, {3, 4}, {5, 6}};
static const std::string greeting = "good morning";
struct Error : std::runtime_error { using std::runtime_error::runtime_error; };

HOTPATCH int before_all(int x) { return x + 3; }
HOTPATCH Shape *square() { return new Square; }
HOTPATCH Shape *circle() { return new Round; }
HOTPATCH int area_of(const Shape &shape, int n) { return shape.area(n) + 1; }
HOTPATCH int scaled_int(int x) { return scaled(x); }
HOTPATCH double scaled_double(double x) { return scaled(x); }
HOTPATCH int boxed(int x) { return Box<int>{x}.get(); }
HOTPATCH int by_lambda(int x) {
  auto add = [](int y) NOINLINE { return y + 4; };
  return add(x);
}
HOTPATCH int limit(int i) { return limits[i % 3u].high; }
HOTPATCH std::string greet() { return greeting; }
HOTPATCH void fail(int x) { throw Error(x > 3 ? "far too many of them" : "not quite enough"); }
HOTPATCH int guarded() { static std::string once = std::to_string(before_all(1)); return (int)once.size(); }
HOTPATCH int listed(std::vector<int> &to) { to.push_back(17); return (int)to.size(); }
HOTPATCH bool is_square(Shape &shape) { return dynamic_cast<Square *>(&shape) != nullptr; }
struct Player {
  int hp = 7;
  HOTPATCH int hit(int n);
  HOTPATCH_INLINE void heal() { hp += 1; }
};
void (Player::*healer())() { return &Player::heal; }
int Player::hit(int n) { std::printf("hit by %d points\\n", n); return hp -= n; }
HOTPATCH int kind_of(int k) {
  switch (k) {
    case 0: return std::printf("nothing much\\n");
    case 1: return scaled(k) + 1;
    case 2: return 19;
    case 3: return before_all(k);
    case 4: return std::printf("a lot of it\\n");
    case 5: return 3 * k;
  }
  return 0;
}
}
`;

export const CPP_EDITS: readonly Edit[] = [
  { what: "nothing", from: "namespace game {", to: "namespace game { /* a remark */", switched: [] },
  {
    what: "a virtual function's body",
    from: "return n * n; }",
    to: "return n * n + 1; }",
    switched: ["square"],
    reasons: { square: "calls changed game::Square::area" },
  },
  {
    what: "an inherited virtual function's body",
    from: "return n * 2; }",
    to: "return n * 2 - 1; }",
    // Unless it is inlined, the base's constructor leads the object to the base's vtable first.
    switched: ["square", "circle"],
    optimised: { switched: [] },
  },
  {
    what: "an inherited text",
    from: '"a plain shape"',
    to: '"a fancy shape"',
    switched: ["square", "circle"],
    optimised: { switched: ["circle"] },
  },
  { what: "a text of one class", from: '"a square shape"', to: '"a square thing"', switched: ["square"] },
  {
    what: "a template",
    from: "return x * 3; }",
    to: "return x * 5; }",
    switched: ["scaled_int", "scaled_double", "kind_of"],
  },
  { what: "a class template's member", from: "return value + 1; }", to: "return value + 2; }", switched: ["boxed"] },
  { what: "a lambda", from: "return y + 4; }", to: "return y + 5; }", switched: ["by_lambda"] },
  {
    what: "an entry of a table of structs",
    from: "{3, 4}",
    to: "{3, 9}",
    switched: ["limit"],
    reasons: { limit: "data changed" },
  },
  {
    what: "a variable's first value, which a constructor makes",
    from: "good morning",
    to: "good evening",
    switched: [],
  },
  {
    what: "an exception's text",
    from: "not quite enough",
    to: "not at all enough",
    switched: ["fail"],
    reasons: { fail: "data changed" },
  },
  { what: "the first value of a guarded static", from: "before_all(1)", to: "before_all(2)", switched: ["guarded"] },
  { what: "a number that is put into a container", from: "push_back(17)", to: "push_back(18)", switched: ["listed"] },
  {
    what: "another class is asked for",
    from: "dynamic_cast<Square *>",
    to: "dynamic_cast<Round *>",
    switched: ["is_square"],
  },
  {
    what: "a text in a member",
    from: "hit by %d points",
    to: "hurt by %d point",
    switched: ["hit"],
    reasons: { hit: "data changed" },
  },
  {
    what: "the first marked function grows",
    from: "return x + 3; }",
    to: 'int sum = 0; for (int i = 0; i < x; i++) sum += std::printf("more of it: %d\\n", i * 7 % 5); return sum; }',
    switched: ["before_all"],
  },
  {
    what: "a new class and a new function before the others",
    from: "HOTPATCH int before_all",
    to: 'struct Third : Shape { NOINLINE int area(int n) const override { return n - 1; } };\nShape *third() { static const char *const more[] = {"x", "yes", "zero"}; std::puts(more[1]); return new Third; }\nHOTPATCH int before_all',
    switched: [],
  },
  {
    what: "a lambda is added in another function",
    from: "return (int)once.size(); }",
    to: "auto twice = [](int y) { return y * 2; }; return twice((int)once.size()); }",
    switched: ["guarded"],
  },
  {
    what: "a case is added to a switch",
    from: "case 5: return 3 * k;",
    to: "case 5: return 3 * k;\n    case 6: return 23;",
    switched: ["kind_of"],
  },
  { what: "a member's number", from: "hp += 1;", to: "hp += 2;", switched: ["heal"] },
];
