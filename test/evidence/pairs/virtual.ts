/**
 * Pairs of classes with virtual functions, by where the vtable is emitted: gcc describes a class only there, and clang
 * where its constructors are.
 */
import { type Expectation, HEAD, type Pair, pairsOf, type Row, type Source } from "./pair.js";

/** The members of a class `S`; `KEY` is the virtual function that decides where the vtable is. */
interface Edit {
  readonly what: string;
  readonly expect: Exclude<Expectation, "not-seen">;
  readonly why: string;
  readonly old: string;
  readonly new: string;
  /** An integer made of what `p`, a pointer to it, leads to. */
  readonly use?: string;
  readonly head?: string | readonly [string, string];
}

const SLOTS = "live objects keep their vtables, in which another function is in the slot";
const harm = (what: string, why: string, before: string, after: string, more: Partial<Edit> = {}): Edit => ({
  what,
  expect: "refuse",
  why,
  old: before,
  new: after,
  ...more,
});
const fine = (what: string, why: string, before: string, after: string, more: Partial<Edit> = {}): Edit => ({
  ...harm(what, why, before, after, more),
  expect: "same",
});

const A = "virtual int a(int n) { return n; }";
const B = "virtual int b(int n) { return -n; }";
const DATA = "int x; float y;";
const FIELDS = "p->x + (int)p->y";

const DATA_EDITS: readonly Edit[] = [
  harm("members swapped", "each is read from the other's place", `KEY ${DATA}`, "KEY float y; int x;", { use: FIELDS }),
  harm("members swapped alike", "each is read from the other's place", "KEY int x; int y;", "KEY int y; int x;", {
    use: "p->x * 3 + p->y",
  }),
  harm("member of another kind", "an int is read as a float", `KEY ${DATA}`, "KEY float x; float y;", { use: FIELDS }),
  harm("member inserted", "the members behind it have moved", `KEY ${DATA}`, "KEY int x; long more; float y;", {
    use: FIELDS,
  }),
  harm("member's type edited", "its members have changed places", "KEY In in; int x;", "KEY In in; int x;", {
    use: "p->x + p->in.m - p->in.n",
    head: ["struct In { int m; int n; };", "struct In { int n; int m; };"],
  }),
  fine(
    "member renamed",
    "offset and type are the same",
    `KEY ${DATA} int sum() const { return x + (int)y; }`,
    "KEY int id; float y; int sum() const { return id + (int)y; }",
    { use: "p->sum()" },
  ),
  fine("body", "only code has changed", `KEY ${A} ${DATA}`, `KEY ${A.replace("return n", "return 2 * n")} ${DATA}`, {
    use: `${FIELDS} + p->a(1)`,
  }),
  fine(
    "static member and method added",
    "neither is in the object",
    `KEY ${DATA}`,
    `KEY ${DATA} static int count; int sum() const { return x; }`,
    { use: FIELDS },
  ),
];

const SLOT_EDITS: readonly Edit[] = [
  harm("virtual added first", SLOTS, `KEY ${A} ${DATA}`, `${B} KEY ${A} ${DATA}`, { use: "p->a(1)" }),
  harm("virtual added between", SLOTS, `KEY ${A} ${DATA}`, `KEY ${B} ${A} ${DATA}`, { use: "p->a(1)" }),
  harm("virtual added last", "the vtables of live objects end before it", `KEY ${A} ${DATA}`, `KEY ${A} ${B} ${DATA}`, {
    use: "p->a(1)",
  }),
  harm("virtual removed", SLOTS, `KEY ${B} ${A} ${DATA}`, `KEY ${A} ${DATA}`, { use: "p->a(1)" }),
  harm("two virtuals swapped", SLOTS, `KEY ${A} ${B} ${DATA}`, `KEY ${B} ${A} ${DATA}`, { use: "p->a(1)" }),
  harm(
    "virtual made plain",
    "the slots behind it have moved up",
    `KEY ${A} ${B} ${DATA}`,
    `KEY ${A.replace("virtual ", "")} ${B} ${DATA}`,
    { use: "p->b(1)" },
  ),
  harm(
    "argument's type",
    "the live function takes an int",
    `KEY ${A} ${DATA}`,
    `KEY virtual int a(double n) { return (int)n; } ${DATA}`,
    { use: "p->a(1)" },
  ),
  harm(
    "argument added",
    "the live function does not know it",
    `KEY ${A} ${DATA}`,
    `KEY virtual int a(int n, int m) { return n + m; } ${DATA}`,
    { use: "p->key()" },
  ),
  harm(
    "result's type",
    "the live function returns an int",
    `KEY ${A} ${DATA}`,
    `KEY virtual double a(int n) { return n; } ${DATA}`,
    { use: "(int)p->a(1)" },
  ),
  harm(
    "variadic",
    "old callers do not say how many vector registers they use, which a variadic function reads",
    `KEY ${A} ${DATA}`,
    `KEY virtual int a(int n, ...) { return n; } ${DATA}`,
    { use: "p->a(1)" },
  ),
  harm(
    "overloads by const swapped",
    SLOTS,
    `KEY virtual int a(char *) { return 1; } virtual int a(const char *) { return 2; } ${DATA}`,
    `KEY virtual int a(const char *) { return 2; } virtual int a(char *) { return 1; } ${DATA}`,
    { use: 'p->a("x")' },
  ),
  harm(
    "const methods swapped",
    SLOTS,
    `KEY virtual int a() { return 1; } virtual int a() const { return 2; } ${DATA}`,
    `KEY virtual int a() const { return 2; } virtual int a() { return 1; } ${DATA}`,
    { use: "p->a()" },
  ),
  harm(
    "ref-qualified swapped",
    SLOTS,
    `KEY virtual int a() & { return 1; } virtual int a() && { return 2; } ${DATA}`,
    `KEY virtual int a() && { return 2; } virtual int a() & { return 1; } ${DATA}`,
    { use: "p->a()" },
  ),
  harm(
    "function pointer's overloads swapped",
    SLOTS,
    `KEY virtual int a(int (*)(int)) { return 1; } virtual int a(int (*)(double)) { return 2; } ${DATA}`,
    `KEY virtual int a(int (*)(double)) { return 2; } virtual int a(int (*)(int)) { return 1; } ${DATA}`,
    { use: "p->a((int (*)(int))0)" },
  ),
  harm(
    "array pointer's overloads swapped",
    SLOTS,
    `KEY virtual int a(int (*)[2]) { return 1; } virtual int a(int (*)[3]) { return 2; } ${DATA}`,
    `KEY virtual int a(int (*)[3]) { return 2; } virtual int a(int (*)[2]) { return 1; } ${DATA}`,
    { use: "p->a((int (*)[2])0)" },
  ),
  harm(
    "reference's overloads swapped",
    SLOTS,
    `KEY virtual int a(int &) { return 1; } virtual int a(int &&) { return 2; } ${DATA}`,
    `KEY virtual int a(int &&) { return 2; } virtual int a(int &) { return 1; } ${DATA}`,
    { use: "p->a(3)" },
  ),
  harm(
    "operators swapped",
    SLOTS,
    `KEY virtual int operator+(int n) { return n; } virtual int operator-(int n) { return -n; } ${DATA}`,
    `KEY virtual int operator-(int n) { return -n; } virtual int operator+(int n) { return n; } ${DATA}`,
    { use: "*p + 1" },
  ),
  harm("virtual destructor added first", SLOTS, `KEY ${A} ${DATA}`, `virtual ~S() {} KEY ${A} ${DATA}`, {
    use: "p->a(1)",
  }),
  harm("virtual destructor added between", SLOTS, `KEY ${A} ${DATA}`, `KEY virtual ~S() {} ${A} ${DATA}`, {
    use: "p->a(1)",
  }),
  harm(
    "virtual destructor added last",
    "the vtables of live objects end before it",
    `KEY ${A} ${DATA}`,
    `KEY ${A} virtual ~S() {} ${DATA}`,
    { use: "p->a(1)" },
  ),
  harm("virtual destructor removed", SLOTS, `KEY virtual ~S() {} ${A} ${DATA}`, `KEY ${A} ${DATA}`, { use: "p->a(1)" }),
  harm("virtual destructor moved", SLOTS, `KEY virtual ~S() {} ${A} ${DATA}`, `KEY ${A} virtual ~S() {} ${DATA}`, {
    use: "p->a(1)",
  }),
  harm("destructor made plain", SLOTS, `KEY virtual ~S() {} ${A} ${DATA}`, `KEY ~S() {} ${A} ${DATA}`, {
    use: "p->a(1)",
  }),
  harm(
    "argument's type edited",
    "the live function reads the old places",
    `KEY virtual int a(In *i) { return i->m; } ${DATA}`,
    `KEY virtual int a(In *i) { return i->m; } ${DATA}`,
    {
      head: ["struct In { int m; int n; }; static In in;", "struct In { int n; int m; }; static In in;"],
      use: "p->a(&in)",
    },
  ),
  fine(
    "argument's type renamed",
    "the slots take the same",
    `KEY virtual int a(In *i) { return i != nullptr; } ${DATA}`,
    `KEY virtual int a(Inner *i) { return i != nullptr; } ${DATA}`,
    {
      head: ["struct In { int m; };", "struct Inner { int m; };"],
      use: "p->a(nullptr)",
    },
  ),
  fine(
    "argument's typedef",
    "another name for int",
    `KEY ${A} ${DATA}`,
    `KEY virtual int a(number n) { return n; } ${DATA}`,
    { head: ["", "using number = int;"], use: "p->a(1)" },
  ),
  fine(
    "argument's spelling",
    "two spellings of one type",
    `KEY virtual long a(unsigned long n) { return n; } ${DATA}`,
    `KEY virtual long int a(long unsigned int n) { return n; } ${DATA}`,
    { use: "(int)p->a(1)" },
  ),
  fine(
    "argument renamed",
    "callers do not name it",
    `KEY ${A} ${DATA}`,
    `KEY virtual int a(int amount) { return amount; } ${DATA}`,
    { use: "p->a(1)" },
  ),
  fine(
    "argument's default",
    "callers have the old one compiled in",
    `KEY virtual int a(int n = 1) { return n; } ${DATA}`,
    `KEY virtual int a(int n = 2) { return n; } ${DATA}`,
    { use: "p->a()" },
  ),
  fine(
    "argument made const",
    "const binds only the body",
    `KEY ${A} ${DATA}`,
    `KEY virtual int a(const int n) { return n; } ${DATA}`,
    { use: "p->a(1)" },
  ),
  fine(
    "virtual made private",
    "access is not in the vtable",
    `KEY ${A} int call() { return a(1); } ${DATA}`,
    `KEY int call() { return a(1); } ${DATA} private: ${A}`,
    { use: "p->call()" },
  ),
  fine(
    "plain method between",
    "it has no slot",
    `KEY ${A} ${B} ${DATA}`,
    `KEY ${A} int plain(int n) { return n; } ${B} ${DATA}`,
    { use: "p->b(1)" },
  ),
  fine(
    "noexcept",
    "the slot is the same",
    `KEY ${A} ${DATA}`,
    `KEY virtual int a(int n) noexcept { return n; } ${DATA}`,
    { use: "p->a(1)" },
  ),
];

/** Where the vtable is emitted. */
interface Place {
  readonly name: string;
  readonly key: string;
  readonly units: (declare: string, marked: string) => Source;
  /** Neither compiler describes the class. */
  readonly isNowhere?: true;
}

const PLACES: readonly Place[] = [
  {
    name: "all inline",
    key: "virtual int key() { return 1; }",
    units: (declare, marked) => [`${declare}\nint make();\nint make() { S s; return s.key(); }\n${marked}`],
  },
  {
    name: "key function here",
    key: "virtual int key();",
    units: (declare, marked) => [`${declare}\nint S::key() { return 1; }\n${marked}`],
  },
  {
    name: "key function in another unit",
    key: "virtual int key();",
    units: (declare, marked) => [
      `${declare}\n${marked}`,
      `${declare}\nint S::key() { return 1; }\nint make();\nint make() { S *s = new S; return s->key(); }`,
    ],
  },
  {
    name: "key function in the host",
    key: "virtual int key();",
    isNowhere: true,
    units: (declare, marked) => [`${declare}\n${marked}`],
  },
];

/** How the marked function gets at the class. */
interface Way {
  readonly name: string;
  readonly declare: string;
  readonly marked: (use: string) => string;
}

const POINTER: Way = { name: "a pointer", declare: "", marked: (use) => `HOTPATCH int f(S *p) { return ${use}; }` };
const WAYS: readonly Way[] = [
  {
    name: "a pointer in a struct",
    declare: "struct T { int n; S *in; };",
    marked: (use) => `HOTPATCH int f(T *t) { S *p = t->in; return ${use}; }`,
  },
  {
    name: "a base class",
    declare: "struct D : S { int z; }; inline int made() { static D d; return d.z; }",
    marked: (use) => `HOTPATCH int f(D *d) { S *p = d; return ${use} + made(); }`,
  },
  {
    name: "std::vector of unique_ptr",
    declare: "#include <memory>\n#include <vector>\nusing All = std::vector<std::unique_ptr<S>>;",
    marked: (use) => `HOTPATCH int f(All &all) { S *p = all[0].get(); return ${use}; }`,
  },
  {
    name: "state",
    declare: "",
    marked: (use) =>
      `HOTPATCH_STATE(S *, world, nullptr);\nHOTPATCH int f() { S *p = HOTPATCH_GET(world); return ${use}; }`,
  },
];

function pair(edit: Edit, place: Place, way: Way): Row {
  const { what, expect, why, head = "", use = FIELDS } = edit;
  const heads = typeof head === "string" ? [head, head] : head;
  const source = (members: string, i: number): Source =>
    place.units(`${heads[i]}\nstruct S { ${members.replace("KEY", place.key)} };\n${way.declare}`, way.marked(use));
  const isHidden = place.isNowhere === true && expect === "refuse";
  return {
    what: `virtual, ${what}, ${place.name}, by ${way.name}`,
    cause: isHidden ? "class described nowhere" : `virtual, ${place.name}`,
    expect: isHidden ? "not-seen" : expect,
    why: isHidden ? `${why}; no unit of the library describes the class` : why,
    old: source(edit.old, 0),
    new: source(edit.new, 1),
  };
}

const ABSTRACT = (members: string) =>
  `struct S { ${members} int x; }; struct D : S { int a(int n) override { return n; } int b(int n) override { return -n; } };
int make();
int make() { D d; S *s = &d; return s->a(1); }
HOTPATCH int f(S *p) { return p->a(2); }`;
const [PURE_A, PURE_B] = ["virtual int a(int n) = 0;", "virtual int b(int n) = 0;"];
const MULTIPLE = (bases: string) =>
  `struct P { virtual int a() { return 1; } int m; }; struct Q { virtual int b() { return 2; } int n; };
struct S : ${bases} { int x; }; int make();
int make() { S s; return s.a() + s.b(); }
HOTPATCH int f(S *p) { return p->a() + p->b() + p->x; }`;

const OTHERS: readonly Row[] = [
  {
    what: "virtual, pure ones swapped",
    cause: "interface",
    expect: "refuse",
    why: SLOTS,
    old: ABSTRACT(`${PURE_A} ${PURE_B}`),
    new: ABSTRACT(`${PURE_B} ${PURE_A}`),
  },
  {
    what: "virtual, pure one with a body",
    cause: "interface",
    expect: "same",
    why: "the slot is the same",
    old: ABSTRACT(`${PURE_A} ${PURE_B}`),
    new: ABSTRACT(`${PURE_A} virtual int b(int n) { return n; }`),
  },
  {
    what: "virtual, pure one added first",
    cause: "interface",
    expect: "refuse",
    why: SLOTS,
    old: ABSTRACT(`${PURE_A} virtual int b(int) { return 0; }`),
    new: ABSTRACT(`virtual int c() { return 0; } ${PURE_A} virtual int b(int) { return 0; }`),
  },
  {
    what: "virtual, bases swapped",
    cause: "inheritance",
    expect: "refuse",
    why: "each base lies where the other did",
    old: MULTIPLE("P, Q"),
    new: MULTIPLE("Q, P"),
  },
  {
    what: "virtual, a base made virtual",
    cause: "inheritance",
    expect: "refuse",
    why: "it lies at the end now",
    old: MULTIPLE("P, Q"),
    new: MULTIPLE("P, virtual Q"),
  },
  {
    what: "virtual, an override added",
    cause: "override",
    expect: "same",
    why: "the slots are the same; live objects keep the old function",
    old: "struct B { virtual int a() { return 1; } }; struct S : B { int x; };\nint make();\nint make() { S s; return s.a(); }\nHOTPATCH int f(S *p) { return p->a() + p->x; }",
    new: "struct B { virtual int a() { return 1; } }; struct S : B { int x; int a() override { return 2; } };\nint make();\nint make() { S s; return s.a(); }\nHOTPATCH int f(S *p) { return p->a() + p->x; }",
  },
  {
    what: "virtual, an override removed",
    cause: "override",
    expect: "same",
    why: "the slots are the same; live objects keep the old function",
    old: "struct B { virtual int a() { return 1; } }; struct S : B { int x; int a() override { return 2; } };\nint make();\nint make() { S s; return s.a(); }\nHOTPATCH int f(S *p) { return p->a() + p->x; }",
    new: "struct B { virtual int a() { return 1; } }; struct S : B { int x; };\nint make();\nint make() { S s; return s.a(); }\nHOTPATCH int f(S *p) { return p->a() + p->x; }",
  },
  {
    what: "virtual, a first one added",
    cause: "interface",
    expect: "refuse",
    why: "the members have moved behind the vtable pointer",
    old: "struct S { int x; int a() { return x; } };\nint make();\nint make() { S s{}; return s.a(); }\nHOTPATCH int f(S *p) { return p->a(); }",
    new: "struct S { int x; virtual int a() { return x; } };\nint make();\nint make() { S s{}; return s.a(); }\nHOTPATCH int f(S *p) { return p->a(); }",
  },
];

const FEW = [
  ...DATA_EDITS.slice(0, 4),
  ...SLOT_EDITS.filter(({ what }) => /first|swapped$|renamed|destructor moved/.test(what)),
];

/** All pairs of virtual functions. */
export const VIRTUAL_PAIRS: readonly Pair[] = pairsOf("C++", HEAD, [
  ...[...DATA_EDITS, ...SLOT_EDITS].flatMap((edit) => PLACES.map((place) => pair(edit, place, POINTER))),
  ...FEW.flatMap((edit, i) =>
    WAYS.flatMap((way, k) => {
      const place = PLACES[(i + k) % PLACES.length];
      return place === undefined ? [] : [pair(edit, place, way)];
    }),
  ),
  ...OTHERS,
]);
