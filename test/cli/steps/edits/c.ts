/** A C program, and which of its functions each edit changes. */
import type { Edit } from "./edit.js";

/** NOINLINE keeps both compilers from inlining, and from learning anything of a body. */
export const C_PROGRAM = `
#include "hotpatch.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#ifdef __clang__
#define NOINLINE __attribute__((noinline, optnone))
#else
#define NOINLINE __attribute__((noipa))
#endif

enum kind { IDLE = 1, WALK = 2, RUN = 3 };
struct rules { int limit; double rate; const char *title; int (*pick)(int); };

static int calls;
static int misses;

static NOINLINE int twice(int x) { return x * 2; }
static NOINLINE int fourfold(int x) { return twice(x) + twice(x); }
static NOINLINE int even(int x);
static NOINLINE int odd(int x) { return x == 0 ? 0 : even(x - 1); }
static NOINLINE int even(int x) { return x == 0 ? 1 : odd(x - 1); }
static inline __attribute__((always_inline)) int clamp(int x) { return x > 99 ? 99 : x; }

static const int primes[8] = {2, 3, 5, 7, 11, 13, 17, 19};
static const float weights[4] = {0.5f, 0.25f, 0.125f, 1.5f};
static const char *const names[3] = {"anvil", "barrel", "candle"};
static const struct rules rules = {12, 1.5, "strict rules", twice};
static int (*const actions[2])(int) = {twice, fourfold};

HOTPATCH int say(int x) {
  int step = x + 1; /* a comment */
  printf("the value is %d now\\n", step);
  return step;
}
HOTPATCH int say_too(int x) { return printf("the value is %d now\\n", x); }
HOTPATCH int warn(int x) { return printf("careful with that: %d\\n", x); }
HOTPATCH int prime(int i) { return primes[i & 7]; }
HOTPATCH int prime_sum(int n) { int sum = 0; for (int i = 0; i < n; i++) sum += primes[i & 7]; return sum; }
HOTPATCH float weigh(int i, float x) { return weights[i & 3] * x; }
HOTPATCH const char *name_of(int i) { return names[i % 3u]; }
HOTPATCH double rate(int n) { return n > rules.limit ? rules.rate : 0; }
HOTPATCH const struct rules *the_rules(void) { return &rules; }
HOTPATCH int act(int i, int x) { return actions[i & 1](x); }
HOTPATCH double circle(double r) { return 3.14159 * r * r; }
HOTPATCH int calls_twice(int x) { return twice(x) + 1; }
HOTPATCH int calls_fourfold(int x) { return fourfold(x) + 1; }
HOTPATCH int parity(int x) { return even(x); }
HOTPATCH int bounded(int x) { return clamp(x * 3); }
HOTPATCH int counted(void) { return ++calls; }
HOTPATCH int missed(int x) { if (x) misses += x; return misses; }
HOTPATCH int state_of(int k) { return k == RUN ? 30 : k; }
HOTPATCH int calls_marked(int x) { return counted() + state_of(x); }
HOTPATCH int choose(int x, int y) {
  switch (x) {
    case 0: return y + 11;
    case 1: return y * 7;
    case 2: return printf("two of them\\n");
    case 3: return y - 5;
    case 4: return y ^ 9;
    case 5: return twice(y);
    case 6: return y / 3;
  }
  return -1;
}
HOTPATCH const char *word(int x) {
  switch (x) {
    case 0: return "zero point";
    case 1: return "one and only";
    case 2: return "two by two";
    case 3: return "three of a kind";
    case 4: return "four corners";
    case 5: return "five alive";
  }
  return "very many";
}
HOTPATCH int copied(char *to) { memcpy(to, "one two three four five six seven eight", 40); return to[0]; }
HOTPATCH double far_away(double x) { return sqrt(x) + cbrt(x) + 0.75; }
HOTPATCH unsigned long sum_all(void) { unsigned long s = 0; for (unsigned i = 0; i < 8; i++) s += primes[i]; return s + sizeof(primes); }
HOTPATCH int last(int x) { static int seen = 3; seen += x; return seen; }
`;

export const C_EDITS: readonly Edit[] = [
  { what: "nothing", from: "a comment", to: "a comment", switched: [] },
  {
    what: "a local is renamed",
    from: "int step = x + 1;",
    to: "int pace = x + 1;",
    also: [['now\\n", step);\n  return step;', 'now\\n", pace);\n  return pace;']],
    switched: [],
  },
  {
    what: "a comment is moved",
    from: "int step = x + 1; /* a comment */",
    to: "/* a comment */\n\n  int step = x + 1;",
    switched: [],
  },
  {
    what: "a text of the same length",
    from: "careful with that:",
    to: "be careful please:",
    switched: ["warn"],
    reasons: { warn: "data changed" },
  },
  {
    what: "a longer text",
    from: "careful with that:",
    to: "be very careful with that one, please:",
    switched: ["warn"],
    reasons: { warn: "data changed" },
  },
  {
    what: "a text that two functions had",
    from: 'the value is %d now\\n", step',
    to: 'the value is %d then\\n", step',
    switched: ["say"],
    reasons: { say: "data changed" },
  },
  {
    what: "a format's directive",
    from: "careful with that: %d",
    to: "careful with that: %x",
    switched: ["warn"],
    reasons: { warn: "data changed" },
  },
  { what: "a constant in code", from: "return y * 7;", to: "return y * 13;", switched: ["choose"] },
  {
    what: "an entry of a table",
    from: "11, 13, 17, 19}",
    to: "11, 13, 17, 23}",
    switched: ["prime", "prime_sum", "sum_all"],
    reasons: { prime: "data changed" },
  },
  {
    what: "a float in a table",
    from: "0.125f, 1.5f",
    to: "0.125f, 1.75f",
    switched: ["weigh"],
    reasons: { weigh: "data changed" },
  },
  {
    what: "a text in a table of pointers",
    from: '"barrel"',
    to: '"bucket"',
    switched: ["name_of"],
    reasons: { name_of: "data changed" },
  },
  {
    what: "texts of a table change places",
    from: '"anvil", "barrel"',
    to: '"barrel", "anvil"',
    switched: ["name_of"],
    reasons: { name_of: "data changed" },
  },
  {
    what: "a number in a struct's initialiser",
    from: "{12, 1.5,",
    to: "{14, 1.5,",
    switched: ["rate", "the_rules"],
    reasons: { the_rules: "data changed" },
  },
  {
    what: "a text in a struct's initialiser",
    from: "strict rules",
    to: "gentle rules",
    switched: ["the_rules"],
    reasons: { the_rules: "data changed" },
  },
  {
    what: "a function in a struct's initialiser",
    from: '"strict rules", twice}',
    to: '"strict rules", fourfold}',
    switched: ["the_rules"],
    reasons: { the_rules: "data changed" },
  },
  {
    what: "a function in a table of functions",
    from: "{twice, fourfold}",
    to: "{fourfold, twice}",
    switched: ["act"],
    reasons: { act: "data changed" },
  },
  {
    what: "a float constant",
    from: "3.14159",
    to: "3.14160",
    switched: ["circle"],
    reasons: { circle: "data changed" },
  },
  {
    what: "a static callee",
    from: "{ return x * 2; }",
    to: "{ return x * 2 + 1; }",
    switched: ["the_rules", "act", "calls_twice", "calls_fourfold", "choose"],
    reasons: {
      calls_twice: "calls changed twice",
      calls_fourfold: "calls changed twice",
      choose: "calls changed twice",
      act: "calls changed twice",
      the_rules: "calls changed twice",
    },
  },
  {
    what: "a static callee's callee is another",
    from: "twice(x) + twice(x)",
    to: "twice(x) - twice(x)",
    switched: ["act", "calls_fourfold"],
    reasons: { calls_fourfold: "calls changed fourfold" },
  },
  {
    what: "one of two functions that call each other",
    from: "? 0 : even",
    to: "? 2 : even",
    switched: ["parity"],
    reasons: { parity: "calls changed odd" },
  },
  { what: "an inlined helper", from: "x > 99 ? 99 : x", to: "x > 88 ? 88 : x", switched: ["bounded"] },
  { what: "an enum's constant", from: "RUN = 3", to: "RUN = 4", switched: ["state_of"] },
  { what: "a marked callee", from: "return ++calls;", to: "return calls += 2;", switched: ["counted"] },
  {
    what: "an unrelated function grows",
    from: "static inline",
    to: 'NOINLINE int grown(int x) { for (int i = 0; i < x; i++) { printf("grown by %d of %d\\n", i, x); calls += i * x; } return x; }\nstatic inline',
    switched: [],
  },
  {
    what: "the first marked function grows",
    from: "int step = x + 1;",
    to: 'int step = x + 1; for (int i = 0; i < x; i++) printf("%d more steps of %d\\n", i, x * 31 % 17);',
    switched: ["say"],
  },
  {
    what: "a new static variable and a new constant",
    from: "static int misses;",
    to: 'static int fresh[33]; const char *const more[] = {"some", "more", "texts"}; const double d = 2.5;\nint use(int i) { return fresh[i & 31]++; }\nstatic int misses;',
    switched: [],
  },
  { what: "a case of a switch is edited", from: "return y ^ 9;", to: "return y ^ 10;", switched: ["choose"] },
  {
    what: "a case is added to a switch",
    from: "case 6: return y / 3;",
    to: "case 6: return y / 3;\n    case 7: return y + 100;",
    switched: ["choose"],
  },
  {
    what: "two cases change places",
    from: "case 0: return y + 11;\n    case 1: return y * 7;",
    to: "case 1: return y + 11;\n    case 0: return y * 7;",
    switched: ["choose"],
  },
  {
    what: "a text that a switch returns",
    from: "four corners",
    to: "four squares",
    switched: ["word"],
    reasons: { word: "data changed" },
  },
  { what: "a long text that is copied", from: "seven eight", to: "eight seven", switched: ["copied"] },
  {
    what: "another function of the C library",
    from: "sqrt(x) + cbrt(x)",
    to: "sqrt(x) + fabs(x)",
    switched: ["far_away"],
  },
  { what: "a constant beside calls of the C library", from: "+ 0.75", to: "+ 0.5", switched: ["far_away"] },
  { what: "another variable", from: "return ++calls;", to: "return ++misses;", switched: ["counted"] },
  { what: "a variable's first value", from: "static int seen = 3;", to: "static int seen = 5;", switched: [] },
  {
    what: "a static of another function is added before one",
    from: "HOTPATCH int counted(void) {",
    to: "int unrelated(void) { static int seen = 9; return seen++; }\nHOTPATCH int counted(void) {",
    switched: [],
  },
  {
    what: "an unused constant is added before a table",
    from: "static const float weights",
    to: "const int extra[5] = {9, 8, 7, 6, 5};\nstatic const float weights",
    switched: [],
  },
  {
    what: "a text that was another's too goes",
    from: 'HOTPATCH int say_too(int x) { return printf("the value is %d now\\n", x); }',
    to: "HOTPATCH int say_too(int x) { return x; }",
    switched: ["say_too"],
  },
  {
    what: "a text that ends as another does",
    from: "HOTPATCH int counted(void) {",
    to: 'int suffix(void) { return printf("now\\n") + printf("that: %d\\n", 1); }\nHOTPATCH int counted(void) {',
    switched: [],
  },
];
