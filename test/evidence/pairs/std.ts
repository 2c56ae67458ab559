/** Pairs in C++ of members from the standard library: what they hold is edited, or they become another. */
import { CORE } from "./edits.js";
import { type Expectation, HEAD, type Pair, pairsOf, type Row } from "./pair.js";
import { product, type Way } from "./ways.js";

/** A member of a struct that is passed; `get` makes a pointer to an `E` of it. */
const way = (name: string, cause: string, declare: string, get: string, more: Partial<Way> = {}): Way => ({
  name,
  cause,
  around: (side) =>
    `${side.declare}\n${declare.replaceAll("T", side.type)}\nHOTPATCH int f(S *p) { ${side.type} *e = ${get.replaceAll("T", side.type)}; return ${side.use}; }`,
  ...more,
});

/** A container as a member, with the header it needs. */
const container = (name: string, header: string, type: string, get: string, more: Partial<Way> = {}): Way => {
  const one = way(`std::${name}`, `std::${name}`, `struct S { int n; ${type} m; };`, get, { whole: true, ...more });
  return {
    ...one,
    around: (side) =>
      `${header
        .split(" ")
        .map((h) => `#include <${h}>\n`)
        .join("")}${one.around(side)}`,
  };
};

/** They hold an `E`. */
export const CONTAINERS: readonly Way[] = [
  container("vector", "vector", "std::vector<T>", "&p->m[1]"),
  container("vector of pointers", "vector", "std::vector<T *>", "p->m[1]"),
  container("vector of vectors", "vector", "std::vector<std::vector<T>>", "&p->m[1][2]"),
  container("array", "array", "std::array<T, 4>", "&p->m[1]"),
  container("deque", "deque", "std::deque<T>", "&p->m.front()"),
  container("list", "list", "std::list<T>", "&p->m.front()"),
  container("forward_list", "forward_list", "std::forward_list<T>", "&p->m.front()"),
  container("map", "map", "std::map<int, T>", "&p->m.begin()->second"),
  container("map of vectors", "map vector", "std::map<int, std::vector<T>>", "&p->m.begin()->second[0]"),
  container("map of unique_ptr", "map memory", "std::map<int, std::unique_ptr<T>>", "p->m.begin()->second.get()"),
  container("multimap", "map", "std::multimap<long, T>", "&p->m.begin()->second"),
  container("set of pointers", "set", "std::set<T *>", "*p->m.begin()"),
  container("unordered_map", "unordered_map", "std::unordered_map<int, T>", "&p->m.begin()->second"),
  container(
    "unordered_map of unique_ptr",
    "unordered_map memory",
    "std::unordered_map<int, std::unique_ptr<T>>",
    "p->m.begin()->second.get()",
  ),
  container("unordered_set of pointers", "unordered_set", "std::unordered_set<T *>", "*p->m.begin()"),
  container("unique_ptr", "memory", "std::unique_ptr<T>", "p->m.get()"),
  container("unique_ptr of an array", "memory", "std::unique_ptr<T[]>", "&p->m[2]"),
  container("shared_ptr", "memory", "std::shared_ptr<T>", "p->m.get()"),
  container("weak_ptr", "memory", "std::weak_ptr<T>", "p->m.lock().get()"),
  container("optional", "optional", "std::optional<T>", "&*p->m"),
  container("variant", "variant", "std::variant<int, T>", "std::get_if<T>(&p->m)"),
  container(
    "variant of unique_ptr",
    "variant memory",
    "std::variant<int, std::unique_ptr<T>>",
    "std::get<1>(p->m).get()",
  ),
  container("pair", "utility", "std::pair<int, T>", "&p->m.second"),
  container("tuple", "tuple", "std::tuple<int, T>", "&std::get<1>(p->m)"),
  container("function", "functional", "std::function<T *(int)>", "p->m(2)"),
  container("atomic pointer", "atomic", "std::atomic<T *>", "p->m.load()"),
  container("stack", "stack", "std::stack<T>", "&p->m.top()"),
  container("any", "any", "std::any", "std::any_cast<T>(&p->m)", { hidden: "std::any does not say what it holds" }),
  container("shared_ptr<void>", "memory", "std::shared_ptr<void>", "(T *)p->m.get()", {
    hidden: "a void pointer does not say where it leads",
  }),
];

/** A member of the standard library that becomes another. */
const std = (
  headers: string,
  before: string,
  after: string,
  get: string | readonly [string, string],
  why: string,
  expect: Expectation = "refuse",
  head = "",
): Row => {
  const [was, is] = typeof get === "string" ? [get, get] : get;
  const includes = headers
    .split(" ")
    .map((header) => `#include <${header}>\n`)
    .join("");
  const source = (type: string, text: string) =>
    `${includes}${head}\nstruct S { int n; ${type} m; };\nHOTPATCH int f(S *p) { return p->n + (int)(${text}); }`;
  return {
    what: `std container, ${before} to ${after}`,
    cause: expect === "same" ? "std spelling" : "std argument",
    expect,
    why,
    old: source(before, was),
    new: source(after, is),
  };
};

const AB = "struct A { int v; }; struct B { float v; };";
const STD: readonly Row[] = [
  std("map", "std::map<int, int>", "std::map<int, float>", "p->m.begin()->second", "the nodes hold ints"),
  std("map", "std::map<int, int>", "std::map<float, int>", "p->m.begin()->second", "the keys are ints"),
  std("map", "std::map<int, long>", "std::map<int, double>", "p->m.begin()->second", "the nodes hold longs"),
  std(
    "map functional",
    "std::map<int, int>",
    "std::map<int, int, std::greater<int>>",
    "p->m.begin()->second",
    "the live tree is sorted the other way",
  ),
  std(
    "map vector",
    "std::map<int, std::vector<int>>",
    "std::map<int, std::vector<float>>",
    "p->m.begin()->second[0]",
    "the vectors hold ints",
  ),
  std(
    "map memory",
    "std::map<int, std::unique_ptr<int>>",
    "std::map<int, std::unique_ptr<float>>",
    "*p->m.begin()->second",
    "the pointers lead to ints",
  ),
  std("set", "std::set<int>", "std::set<float>", "*p->m.begin()", "the nodes hold ints"),
  std(
    "set functional",
    "std::set<int>",
    "std::set<int, std::greater<int>>",
    "*p->m.begin()",
    "the live tree is sorted the other way",
  ),
  std("list", "std::list<int>", "std::list<float>", "p->m.front()", "the nodes hold ints"),
  std("list", "std::list<long>", "std::list<double>", "p->m.front()", "the nodes hold longs"),
  std("forward_list", "std::forward_list<int>", "std::forward_list<float>", "p->m.front()", "the nodes hold ints"),
  std("deque", "std::deque<int>", "std::deque<float>", "p->m.front()", "the blocks hold ints"),
  std("vector", "std::vector<int>", "std::vector<float>", "p->m[1]", "the elements are ints"),
  std("vector", "std::vector<int>", "std::vector<long>", "p->m[1]", "the elements have 4 bytes"),
  std("vector", "std::vector<char>", "std::vector<bool>", "p->m[1]", "the elements become bits"),
  std(
    "unordered_map",
    "std::unordered_map<int, int>",
    "std::unordered_map<int, float>",
    "p->m.begin()->second",
    "the nodes hold ints",
  ),
  std(
    "unordered_map",
    "std::unordered_map<int, int>",
    "std::unordered_map<int, int, Hash>",
    "p->m.at(3)",
    "the live buckets are filled by the other hash",
    "refuse",
    "struct Hash { unsigned long operator()(int x) const { return 31ul * x; } };",
  ),
  std(
    "unordered_map",
    "std::unordered_map<int, int, One>",
    "std::unordered_map<int, int, Two>",
    "p->m.at(3)",
    "the live buckets are filled by the other hash",
    "refuse",
    "struct One { unsigned long operator()(int x) const { return 31ul * x; } }; struct Two { unsigned long operator()(int x) const { return 7ul * x; } };",
  ),
  std("unordered_set", "std::unordered_set<int>", "std::unordered_set<float>", "*p->m.begin()", "the nodes hold ints"),
  std(
    "mutex",
    "std::mutex",
    "std::recursive_mutex",
    "(p->m.lock(), p->m.unlock(), 1)",
    "a live mutex is of the other kind",
  ),
  std(
    "mutex",
    "std::recursive_mutex",
    "std::mutex",
    "(p->m.lock(), p->m.unlock(), 1)",
    "a live mutex is of the other kind",
  ),
  std("memory", "std::unique_ptr<int>", "std::unique_ptr<float>", "*p->m", "the pointer leads to an int"),
  std("memory", "std::unique_ptr<A>", "std::unique_ptr<B>", "p->m->v", "the pointer leads to an A", "refuse", AB),
  std("memory", "std::shared_ptr<int>", "std::shared_ptr<float>", "*p->m", "the pointer leads to an int"),
  std(
    "memory",
    "std::shared_ptr<int>",
    "std::weak_ptr<int>",
    ["*p->m", "*p->m.lock()"],
    "the live owner is counted among the owners",
  ),
  std("optional", "std::optional<int>", "std::optional<float>", "*p->m", "the value is an int"),
  std(
    "variant",
    "std::variant<int, float>",
    "std::variant<float, int>",
    "std::get<0>(p->m)",
    "index 0 is the other one",
  ),
  std(
    "variant memory",
    "std::variant<std::unique_ptr<A>, std::unique_ptr<B>>",
    "std::variant<std::unique_ptr<B>, std::unique_ptr<A>>",
    "std::get<0>(p->m)->v",
    "index 0 is the other one",
    "refuse",
    AB,
  ),
  std(
    "variant",
    "std::variant<A *, B *>",
    "std::variant<B *, A *>",
    "std::get<0>(p->m)->v",
    "index 0 is the other one",
    "refuse",
    AB,
  ),
  std(
    "variant",
    "std::variant<int, long, double>",
    "std::variant<int, double, long>",
    "p->m.index()",
    "indexes 1 and 2 have changed places",
  ),
  std(
    "variant",
    "std::variant<int, float>",
    "std::variant<int, float, double>",
    "std::get<0>(p->m)",
    "the live one is shorter",
  ),
  std("utility", "std::pair<int, float>", "std::pair<float, int>", "p->m.first", "each is read as the other"),
  std("tuple", "std::tuple<int, float>", "std::tuple<float, int>", "std::get<0>(p->m)", "each is read as the other"),
  std("array", "std::array<int, 4>", "std::array<float, 4>", "p->m[1]", "the elements are ints"),
  std("array", "std::array<int, 4>", "std::array<int, 6>", "p->m[3]", "the live one is shorter"),
  std("atomic", "std::atomic<int>", "std::atomic<float>", "p->m.load()", "the value is an int"),
  std("functional", "std::function<int(int)>", "std::function<int(double)>", "p->m(1)", "the live callee takes an int"),
  std(
    "functional",
    "std::function<int(int)>",
    "std::function<double(int)>",
    "p->m(1)",
    "the live callee returns an int",
  ),
  std(
    "functional",
    "std::function<int(A *)>",
    "std::function<int(B *)>",
    "p->m(nullptr)",
    "the live callee takes an A",
    "refuse",
    AB,
  ),
  std("string", "std::string", "std::wstring", "p->m[0]", "the characters have one byte"),
  std("string_view", "std::string_view", "std::u16string_view", "p->m[0]", "the characters have one byte"),
  std(
    "chrono",
    "std::chrono::milliseconds",
    "std::chrono::microseconds",
    "p->m.count()",
    "the live number counts milliseconds",
  ),
  std("chrono", "std::chrono::seconds", "std::chrono::minutes", "p->m.count()", "the live number counts seconds"),
  std("complex", "std::complex<float>", "double", ["p->m.real()", "p->m"], "two floats are read as a double"),
  std(
    "vector string",
    "std::vector<std::string>",
    "std::vector<std::wstring>",
    "p->m[0][0]",
    "the characters have one byte",
  ),
  std("stack", "std::stack<int>", "std::stack<float>", "p->m.top()", "the values are ints"),
  std("queue", "std::queue<long>", "std::queue<double>", "p->m.front()", "the values are longs"),
  std(
    "queue",
    "std::priority_queue<int>",
    "std::priority_queue<int, std::vector<int>, std::greater<int>>",
    "p->m.top()",
    "the live heap is ordered the other way",
  ),
  std(
    "vector memory",
    "std::vector<int>",
    "std::vector<int, std::allocator<int>>",
    "p->m[0]",
    "the default argument spelled out",
    "same",
  ),
  std(
    "map functional",
    "std::map<int, int>",
    "std::map<int, int, std::less<int>>",
    "p->m.begin()->second",
    "the default argument spelled out",
    "same",
  ),
  std("string", "std::string", "std::basic_string<char>", "p->m[0]", "string is a name for it", "same"),
  std(
    "chrono",
    "std::chrono::seconds",
    "std::chrono::duration<long, std::ratio<1>>",
    "p->m.count()",
    "seconds is a name for it",
    "same",
  ),
  std(
    "map",
    "std::map<int, long>",
    "std::map<int, long int>",
    "p->m.begin()->second",
    "two spellings of one type",
    "same",
  ),
  std("vector", "std::vector<unsigned>", "std::vector<unsigned int>", "p->m[0]", "two spellings of one type", "same"),
  std(
    "functional",
    "std::function<int(int)>",
    "std::function<int(int)>",
    ["p->m(1)", "p->m(2)"],
    "only code has changed",
    "same",
  ),
  std(
    "unordered_map string",
    "std::unordered_map<std::string, int>",
    "Scores",
    'p->m.at("a")',
    "an alias is another name for it",
    "same",
    "using Scores = std::unordered_map<std::string, int>;",
  ),
  std(
    "mutex",
    "std::mutex",
    "Lock",
    "(p->m.lock(), p->m.unlock(), 1)",
    "an alias is another name for it",
    "same",
    "using Lock = std::mutex;",
  ),
];

const CONTAINED = CORE.filter(({ what }) =>
  ["swapped", "swapped alike", "other kind", "body", "member renamed"].includes(what),
);

/** All pairs of the standard library. */
export const STD_PAIRS: readonly Pair[] = [...product("C++", CONTAINED, CONTAINERS), ...pairsOf("C++", HEAD, STD)];
