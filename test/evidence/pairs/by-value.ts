/** Pairs in C++ of classes that are passed and returned by value. */
import { type Expectation, HEAD, type Pair, pairsOf, type Row } from "./pair.js";

/** A class that is passed and returned by value; what it contains decides how. */
const byValue = (
  what: string,
  expect: Expectation,
  why: string,
  before: string,
  after: string,
  head = "",
  compiler?: "gcc" | "clang",
): Row[] => {
  const declare = (text: string) => `${head}${text.startsWith("struct") ? text : `struct V { int a, b; ${text} };`}`;
  const shared = { cause: "by value", expect, why, ...(compiler !== undefined && { compiler }) };
  const argument = (text: string) => `${declare(text)}\nHOTPATCH int f(V v) { return v.a + v.b; }`;
  const result = (text: string) => `${declare(text)}\nV make(int);\nHOTPATCH V f(int n) { return make(n + 1); }`;
  const nested = (text: string) =>
    `${declare(text)}\nstruct Out { V v; long more; };\nHOTPATCH long f(Out o) { return o.v.a + o.more; }`;
  return [
    { ...shared, what: `by value, ${what}, argument`, old: argument(before), new: argument(after) },
    { ...shared, what: `by value, ${what}, result`, old: result(before), new: result(after) },
    { ...shared, what: `by value, ${what}, in an argument`, old: nested(before), new: nested(after) },
  ];
};

const REFERENCED = "it is passed by reference now, by value before";
const BY_VALUE: readonly Row[] = [
  ...byValue("destructor added", "refuse", REFERENCED, "", "~V() { a = 0; }"),
  ...byValue(
    "copy constructor added",
    "refuse",
    REFERENCED,
    "V(int x);",
    "V(int x); V(const V &o) : a(o.a), b(o.b) {}",
  ),
  ...byValue(
    "copy constructor deleted",
    "refuse",
    "with all copies deleted it is passed by reference",
    "V(int x);",
    "V(int x); V(const V &) = delete;",
  ),
  ...byValue("move constructor only", "refuse", REFERENCED, "V(int x);", "V(int x); V(V &&o) : a(o.a), b(o.b) {}"),
  ...byValue("destructor removed", "refuse", "it is passed by value now, by reference before", "~V() { a = 0; }", ""),
  ...byValue(
    "a member's destructor",
    "refuse",
    REFERENCED,
    "struct V { int a; In in; int b; };",
    "struct V { int a; In2 in; int b; };",
    "struct In { int x; }; struct In2 { int x; ~In2() { x = 0; } }; ",
  ),
  ...byValue(
    "a base's destructor",
    "refuse",
    REFERENCED,
    "struct V : In { int a, b; };",
    "struct V : In2 { int a, b; };",
    "struct In { int x; }; struct In2 { int x; ~In2() { x = 0; } }; ",
  ),
  ...byValue(
    "virtual destructor added",
    "refuse",
    "it has a vtable now, and is passed by reference",
    "",
    "virtual ~V() {}",
  ),
  ...byValue(
    "constructor added",
    "same",
    "constructors do not decide how it is passed",
    "V(int x);",
    "V(int x); V(int x, int y);",
  ),
  ...byValue("destructor defaulted", "same", "a defaulted destructor is trivial", "", "~V() = default;"),
  ...byValue(
    "copies defaulted",
    "same",
    "a defaulted copy constructor is trivial",
    "V(int x);",
    "V(int x); V(const V &) = default;",
  ),
  ...byValue(
    "assignment added",
    "same",
    "assignment does not decide how it is passed",
    "",
    "V &operator=(const V &o) { a = o.a; return *this; }",
  ),
  ...byValue(
    "copy deleted, move kept",
    "same",
    "a trivial move constructor is enough to pass it by value",
    "V(int x);",
    "V(int x); V(const V &) = delete; V(V &&) = default;",
  ),
  ...byValue("method added", "same", "methods do not decide how it is passed", "", "int sum() const { return a + b; }"),
  ...byValue(
    "trivial_abi",
    "refuse",
    "the attribute has it passed by value",
    "struct V { int a, b; ~V() { a = 0; } };",
    "struct __attribute__((trivial_abi)) V { int a, b; ~V() { a = 0; } };",
    "",
    "clang",
  ),
];

/** All pairs of classes by value. */
export const BY_VALUE_PAIRS: readonly Pair[] = pairsOf("C++", HEAD, BY_VALUE);
