/** Which functions of a C++ source are declared constexpr, by its words. */
import test from "ava";
import { constexprNames } from "../../../cli/library/constexpr.js";

const SOURCES: readonly (readonly [source: string, names: readonly string[]])[] = [
  ["constexpr int scale(int x) { return x * 3; }", ["scale"]],
  ["consteval int scale(int x);", ["scale"]],
  ["static inline constexpr std::array<int, 3> scale(int x);", ["scale"]],
  ["[[nodiscard]] constexpr auto scale [[gnu::hot]] (int x) -> int;", ["scale"]],
  ["template <int N = 3> constexpr decltype(N + (1)) scale(int x);", ["scale"]],
  ["struct P { constexpr explicit(true) P(int h) : hp(h) {} constexpr ~P() {} };", ["P", "~P"]],
  ["constexpr bool operator==(P a, P b); constexpr int operator()(int) const;", ["operator==", "operator()"]],
  ["FMT_CONSTEXPR20 int scale(int x);", ["scale"]],
  ["#define SAID constexpr \\\n  inline\nint scale(int x);", []],
  ["// constexpr int scale(int x)\n/* constexpr int scale(int x) */ int scale(int x);", []],
  ["constexpr int K = scale(7); constexpr int L{scale(7)};", []],
  ["if constexpr (wide) scale(7);", []],
  ["int scale(int x);", []],
];

for (const [source, names] of SOURCES)
  test(`${source.replaceAll("\n", " ")}: ${names.length === 0 ? "none" : names.join(" and ")}`, (t) => {
    t.deepEqual([...constexprNames(source)], names);
  });
