/** Pairs in C++: ways to reach a type, template arguments, inheritance, state, and harmless edits. */
import { CORE, MORE, members } from "./edits.js";
import { type Expectation, HEAD, type Pair, pairsOf, type Row } from "./pair.js";
import { CONTAINERS } from "./std.js";
import { product, turns, WAYS, type Way } from "./ways.js";

/** Where a type is in a class: ways without the standard library. */
const CPP_WAYS: readonly Way[] = [
  ...WAYS.filter(({ name }) =>
    [
      "a pointer",
      "value",
      "state",
      "state that points",
      "a void pointer",
      "a byte buffer",
      "an opaque type of another unit",
      "state that points to an opaque type",
    ].includes(name),
  ),
  {
    name: "a reference",
    cause: "reference",
    named: "function",
    around: ({ declare, type, use }) =>
      `${declare}\nHOTPATCH int f(const ${type} &r) { const ${type} *e = &r; return ${use}; }`,
  },
  {
    name: "an rvalue reference",
    cause: "reference",
    named: "function",
    around: ({ declare, type, use }) => `${declare}\nHOTPATCH int f(${type} &&r) { ${type} *e = &r; return ${use}; }`,
  },
  {
    name: "a pointer, extern C",
    cause: "struct member",
    around: ({ declare, type, use }) => `${declare}\nextern "C" HOTPATCH int f(${type} *e) { return ${use}; }`,
  },
  {
    name: "a namespace",
    cause: "namespace",
    named: "function",
    around: ({ declare, type, use }) => {
      const includes = declare.match(/#include .*\n/g)?.join("") ?? "";
      return `${includes}namespace game { ${declare.replace(/#include .*\n/g, "")}\nHOTPATCH int f(${type} *e) { return ${use}; } }`;
    },
  },
  {
    name: "a template argument",
    cause: "template argument",
    around: ({ declare, type, use }) =>
      `${declare}\ntemplate <class T> struct Box { int n; T value; };\nstruct S { Box<${type}> box; };\nHOTPATCH int f(S *p) { ${type} *e = &p->box.value; return ${use}; }`,
    whole: true,
  },
  {
    name: "a template argument behind void",
    cause: "template argument",
    around: ({ declare, type, use }) =>
      `${declare}\ntemplate <class T> struct List { void *head; T *get() { return (T *)head; } };\nstruct S { List<${type}> list; };\nHOTPATCH int f(S *p) { ${type} *e = p->list.get(); return ${use}; }`,
  },
  {
    name: "a template argument over bytes",
    cause: "template argument",
    whole: true,
    around: ({ declare, type, use }) =>
      `${declare}\ntemplate <class T> struct Slot { alignas(64) unsigned char raw[128]; T *get() { return reinterpret_cast<T *>(raw); } };\nstruct S { Slot<${type}> slot; };\nHOTPATCH int f(S *p) { ${type} *e = p->slot.get(); return ${use}; }`,
  },
  {
    name: "a handle of a template",
    cause: "template argument",
    around: ({ declare, type, use }) =>
      `${declare}\nextern void *table[8];\nvoid *table[8];\ntemplate <class T> struct Handle { unsigned index; T *get() const { return static_cast<T *>(table[index]); } };\nstruct S { Handle<${type}> handle; };\nHOTPATCH int f(S *p) { ${type} *e = p->handle.get(); return ${use}; }`,
  },
  {
    name: "a template of a template",
    cause: "template argument",
    around: ({ declare, type, use }) =>
      `${declare}\ntemplate <class T> struct Ref { void *raw; T *get() { return (T *)raw; } };\ntemplate <template <class> class H, class T> struct Two { H<T> a, b; };\nstruct S { Two<Ref, ${type}> two; };\nHOTPATCH int f(S *p) { ${type} *e = p->two.b.get(); return ${use}; }`,
  },
  {
    name: "a base class",
    cause: "inheritance",
    whole: true,
    around: ({ declare, type, use }) =>
      `${declare}\n${struct("S", type)}\nHOTPATCH int f(S *p) { ${type} *e = p; return ${use} + p->after; }`,
  },
  {
    name: "a second base class",
    cause: "inheritance",
    whole: true,
    around: ({ declare, type, use }) =>
      `${declare}\nstruct First { long n; };\n${struct("S", `First, ${bare(type)}`)}\nHOTPATCH int f(S *p) { ${type} *e = p; return ${use} + p->after; }`,
  },
  {
    name: "a base's base",
    cause: "inheritance",
    whole: true,
    around: ({ declare, type, use }) =>
      `${declare}\n${struct("Mid", type)}\n${struct("S", "Mid").replace("after", "last")}\nHOTPATCH int f(S *p) { ${type} *e = p; return ${use} + p->last; }`,
  },
  {
    name: "a virtual base",
    cause: "inheritance",
    whole: true,
    around: ({ declare, type, use }) =>
      `${declare}\n${struct("S", `virtual ${bare(type)}`)}\nint make();\nint make() { S s{}; return s.after; }\nHOTPATCH int f(S *p) { ${type} *e = p; return ${use} + p->after; }`,
  },
  {
    name: "a pointer to a member",
    cause: "pointer to member",
    around: ({ declare, type, use }) =>
      `${declare}\nstruct Node { Node *next; ${type} *in; };\nstruct S { ${type} *Node::*which; Node *node; };\nHOTPATCH int f(S *p) { ${type} *e = p->node->*p->which; return ${use}; }`,
  },
  {
    name: "a member function",
    cause: "member function",
    around: ({ declare, type, use }) =>
      `${declare}\nstruct S { ${type} *in; int look() const; };\nHOTPATCH int S::look() const { ${type} *e = in; return ${use}; }`,
  },
  {
    name: "a private member",
    cause: "member function",
    around: ({ declare, type, use }) =>
      `${declare}\nclass S { ${type} *in; public: int look(); };\nHOTPATCH int S::look() { ${type} *e = in; return ${use}; }`,
  },
  {
    name: "a nested class",
    cause: "nested",
    around: ({ declare, type, use }) =>
      `${declare}\nstruct S { class Inner { public: ${type} *in; }; Inner inner; };\nHOTPATCH int f(S *p) { ${type} *e = p->inner.in; return ${use}; }`,
  },
];

function bare(type: string): string {
  return type.replace("struct ", "");
}

function struct(name: string, bases: string): string {
  return `struct ${name} : ${bare(bases)} { int after; };`;
}

/** Edits that only C++ has. */
const CPP_EDITS = [
  members(
    "method",
    "same",
    "method added",
    "methods are not in the object",
    ["int id; float hp;", "int id; float hp; int twice() const { return 2 * id; }"],
    { use: ["e->id + (int)e->hp", "e->twice() + (int)e->hp"] },
  ),
  members(
    "method",
    "same",
    "static member added",
    "static members are not in the object",
    ["int id; float hp;", "int id; float hp; static int count;"],
    { use: "e->id + (int)e->hp" },
  ),
  members(
    "method",
    "same",
    "nested type and alias added",
    "types are not in the object",
    ["int id; float hp;", "int id; float hp; using number = int; enum Mode { SLOW, FAST }; struct Part { int x; };"],
    { use: "e->id + (int)e->hp" },
  ),
  members(
    "method",
    "same",
    "default member initialiser",
    "live objects are initialised already",
    ["int id; float hp;", "int id = 3; float hp = 1;"],
    { use: "e->id + (int)e->hp" },
  ),
  members(
    "method",
    "same",
    "operator and friend added",
    "neither is in the object",
    [
      "int id; float hp;",
      "int id; float hp; bool operator==(const E &o) const { return id == o.id; } friend int peek(const E &);",
    ],
    { use: "e->id + (int)e->hp" },
  ),
  members(
    "struct member",
    "refuse",
    "a reference to another type",
    "the float at its end is read as an int",
    ["int id; float &hp;", "int id; int &hp;"],
    { use: "e->id + (int)e->hp" },
  ),
  members(
    "array",
    "refuse",
    "a nested template's argument",
    "the box holds a float",
    ["Cell<int> cell; int id;", "Cell<float> cell; int id;"],
    { head: "template <class T> struct Cell { T v; }; ", use: "(int)e->cell.v + e->id" },
  ),
  members(
    "enum",
    "refuse",
    "a scoped enum's integer",
    "its neighbour is read with it",
    ["Kind kind; unsigned char id;", "Kind kind; unsigned char id;"],
    {
      head: ["enum class Kind : unsigned char { A, B }; ", "enum class Kind : unsigned short { A, B }; "],
      use: "int(e->kind) + e->id",
    },
  ),
  members("enum", "refuse", "a scoped enum's sign", "255 is read as -1", ["Kind kind; int id;", "Kind kind; int id;"], {
    head: ["enum class Kind : unsigned char { A, B }; ", "enum class Kind : signed char { A, B }; "],
    use: "int(e->kind) + e->id",
  }),
  members(
    "enum",
    "same",
    "a scoped enum's constant appended",
    "the old constants have their values",
    ["Kind kind; int id;", "Kind kind; int id;"],
    { head: ["enum class Kind { A, B }; ", "enum class Kind { A, B, C }; "], use: "int(e->kind) + e->id" },
  ),
  members(
    "pointer to member",
    "refuse",
    "of another type",
    "a float is read as an int",
    ["float In::*at; In *in;", "int In::*at; In *in;"],
    {
      head: "struct In { int a; float b; }; ",
      use: "(int)(e->in->*e->at)",
    },
  ),
  members(
    "pointer to member",
    "refuse",
    "of another class",
    "it is an offset in another class",
    ["int In::*at; int id;", "int Other::*at; int id;"],
    {
      head: "struct In { int a; float b; }; struct Other { long z; int a; }; ",
      use: "e->id + (e->at != nullptr)",
    },
  ),
  members(
    "pointer to member",
    "refuse",
    "function of other arguments",
    "the live function takes an int",
    ["int (In::*at)(int); In *in;", "int (In::*at)(double); In *in;"],
    {
      head: "struct In { int a; int one(int); int two(double); }; ",
      use: "(e->in->*e->at)(1)",
    },
  ),
  members(
    "alias",
    "same",
    "using for typedef",
    "two ways to write one alias",
    ["number id; int hp;", "number id; int hp;"],
    {
      head: ["typedef int number; ", "using number = int; "],
      use: "e->id + e->hp",
    },
  ),
  members(
    "alias",
    "same",
    "struct to class",
    "they differ in what is private by default",
    ["In in; int hp;", "In in; int hp;"],
    {
      head: ["struct In { int a; }; ", "class In { public: int a; }; "],
      use: "e->in.a + e->hp",
    },
  ),
  members(
    "alias",
    "same",
    "alias template",
    "another name for the same box",
    ["Cell<int> cell; int id;", "Alias<int> cell; int id;"],
    {
      head: [
        "template <class T> struct Cell { T v; }; ",
        "template <class T> struct Cell { T v; }; template <class T> using Alias = Cell<T>; ",
      ],
      use: "e->cell.v + e->id",
    },
  ),
  members(
    "alias",
    "same",
    "a default argument spelled out",
    "the same template of the same arguments",
    ["Cell<int> cell; int id;", "Cell<int, 4> cell; int id;"],
    {
      head: "template <class T, int N = 4> struct Cell { T v[N]; }; ",
      use: "e->cell.v[0] + e->id",
    },
  ),
  members(
    "reference",
    "same",
    "a reference for a pointer",
    "both are an address",
    ["int *at; long id;", "int &at; long id;"],
    {
      use: ["*e->at + (int)e->id", "e->at + (int)e->id"],
    },
  ),
];

/** Own templates whose arguments say what the bytes mean. */
const template = (
  what: string,
  why: string,
  declare: string,
  before: string,
  after: string,
  expect: Expectation = "refuse",
): Row => {
  const source = (type: string) =>
    `${declare}\nstruct S { ${type} m; };\nHOTPATCH int f(S *p) { return (int)p->m.get(); }`;
  return {
    what: `template argument, ${what}`,
    cause: "template argument",
    expect,
    why,
    old: source(before),
    new: source(after),
  };
};

const TEMPLATES: readonly Row[] = [
  template(
    "a number",
    "the slots begin elsewhere in the live bytes",
    "template <int N> struct Ring { unsigned char raw[64]; int get() { return raw[N]; } };",
    "Ring<8>",
    "Ring<16>",
  ),
  template(
    "a policy",
    "the live bytes were written by the other policy",
    "struct Little { static int read(const unsigned char *b) { return b[0]; } }; struct Big { static int read(const unsigned char *b) { return b[3]; } }; template <class P> struct Field { unsigned char raw[4]; int get() { return P::read(raw); } };",
    "Field<Little>",
    "Field<Big>",
  ),
  template(
    "a type behind void",
    "the pointer leads to an int",
    "template <class T> struct Ref { void *raw; T get() { return *(T *)raw; } };",
    "Ref<int>",
    "Ref<float>",
  ),
  template(
    "a type over bytes",
    "the bytes hold an int",
    "template <class T> struct Slot { alignas(8) unsigned char raw[8]; T get() { return *reinterpret_cast<T *>(raw); } };",
    "Slot<int>",
    "Slot<float>",
  ),
  template(
    "one of a pack",
    "the first is an int",
    "template <class... T> struct Pack; template <class A, class... R> struct Pack<A, R...> { alignas(8) unsigned char raw[32]; A get() { return *reinterpret_cast<A *>(raw); } };",
    "Pack<int, float>",
    "Pack<float, int>",
  ),
  template(
    "one more of a pack",
    "the live bytes hold one less",
    "template <class... T> struct Pack { alignas(8) unsigned char raw[32]; unsigned get() { return raw[sizeof...(T)]; } };",
    "Pack<int, float>",
    "Pack<int, float, char>",
  ),
  template(
    "an enumerator",
    "the live bytes were written in the other mode",
    "enum Mode { PLAIN, XORED }; template <Mode M> struct Code { unsigned char raw[4]; int get() { return M == XORED ? raw[0] ^ 85 : raw[0]; } };",
    "Code<PLAIN>",
    "Code<XORED>",
  ),
  template(
    "a bool",
    "the live bytes were written the other way",
    "template <bool Wide> struct Text { unsigned char raw[8]; int get() { return Wide ? raw[0] << 8 | raw[1] : raw[0]; } };",
    "Text<false>",
    "Text<true>",
  ),
  template(
    "a member pointer",
    "the live objects keep their keys elsewhere",
    "struct In { int a; int b; }; template <int In::*K> struct Index { In *in; int get() { return in->*K; } };",
    "Index<&In::a>",
    "Index<&In::b>",
  ),
  template(
    "an alias of the same",
    "an alias is another name for int",
    "using number = int; template <class T> struct Ref { void *raw; T get() { return *(T *)raw; } };",
    "Ref<int>",
    "Ref<number>",
    "same",
  ),
  template(
    "another spelling",
    "two spellings of one type",
    "template <class T> struct Ref { void *raw; T get() { return *(T *)raw; } };",
    "Ref<long>",
    "Ref<long int>",
    "same",
  ),
  template(
    "another spelling of a number",
    "the same number",
    "template <int N> struct Ring { unsigned char raw[64]; int get() { return raw[N]; } };",
    "Ring<8>",
    "Ring<4 + 4>",
    "same",
  ),
];

/** Edits behind which false refusals were found, and other harmless ones. */
const harmless = (cause: string, what: string, why: string, before: string, after: string): Row => ({
  what: `${cause}, ${what}`,
  cause,
  expect: "same",
  why,
  old: before,
  new: after,
});

const BIG = "struct Big { long d[8]; };";
const returning = (head: string, args: string, before: string, after: string, what: string): Row =>
  harmless(
    "unused argument",
    what,
    "callers pass it as before; a compiler may drop it from the debug information",
    `${BIG} ${head}\nHOTPATCH Big f(${args}) { Big b = {{1}}; ${before}return b; }`,
    `${BIG} ${head}\nHOTPATCH Big f(${args}) { Big b = {{1}}; ${after}return b; }`,
  );

const ANIMAL = "struct Base { int id; virtual int speak() { return id; } virtual ~Base() {} };";
const HARMLESS: readonly Row[] = [
  returning("", "int x", "", "b.d[1] = x; ", "an int that is used now"),
  returning("", "int x, long y", "b.d[2] = y; ", "b.d[1] = x; ", "the other one is used now"),
  returning("struct V { int a; };", "V v", "", "b.d[1] = v.a; ", "a struct that is used now"),
  returning(
    "struct V { int a, b, c, d, e; };",
    "V v, int x",
    "b.d[1] = x; ",
    "b.d[1] = v.e + x; ",
    "a large struct that is used now",
  ),
  returning("struct V { int a; };", "V v, V w", "b.d[1] = v.a; ", "", "a struct that is no longer used"),
  returning(
    "struct V { int a; ~V() {} };",
    "V v, double w",
    "",
    "b.d[1] = (long)w + v.a; ",
    "a struct passed by reference",
  ),
  harmless(
    "derived destructor",
    "added",
    "objects are destroyed through the same slots",
    `${ANIMAL} struct S : Base { int n; };\nint make() { S s; return s.n; }\nHOTPATCH int f(S *p) { return p->n + p->speak(); }`,
    `${ANIMAL} struct S : Base { int n; ~S() { n = 0; } };\nint make() { S s; return s.n; }\nHOTPATCH int f(S *p) { return p->n + p->speak(); }`,
  ),
  harmless(
    "derived destructor",
    "added behind a base pointer",
    "objects are destroyed through the same slots",
    `${ANIMAL} struct S : Base { int n; };\nint make() { S s; return s.n; }\nHOTPATCH int f(Base *p) { return p->speak(); }`,
    `${ANIMAL} struct S : Base { int n; ~S() override { n = 0; } };\nint make() { S s; return s.n; }\nHOTPATCH int f(Base *p) { return p->speak(); }`,
  ),
  harmless(
    "derived destructor",
    "added two levels down",
    "objects are destroyed through the same slots",
    `${ANIMAL} struct M : Base { int m; }; struct S : M { int n; };\nint make() { S s; return s.n; }\nHOTPATCH int f(S *p) { return p->n + p->speak(); }`,
    `${ANIMAL} struct M : Base { int m; }; struct S : M { int n; ~S() { n = 0; } };\nint make() { S s; return s.n; }\nHOTPATCH int f(S *p) { return p->n + p->speak(); }`,
  ),
  harmless(
    "derived destructor",
    "removed",
    "objects are destroyed through the same slots",
    `${ANIMAL} struct S : Base { int n; ~S() { n = 0; } };\nint make() { S s; return s.n; }\nHOTPATCH int f(S *p) { return p->n + p->speak(); }`,
    `${ANIMAL} struct S : Base { int n; };\nint make() { S s; return s.n; }\nHOTPATCH int f(S *p) { return p->n + p->speak(); }`,
  ),
  harmless(
    "inheritance",
    "access changed",
    "private bases lie where public ones do",
    "struct B { int x; }; struct S : public B { int y; int sum() { return x + y; } };\nHOTPATCH int f(S *p) { return p->sum(); }",
    "struct B { int x; }; struct S : private B { int y; int sum() { return x + y; } };\nHOTPATCH int f(S *p) { return p->sum(); }",
  ),
  harmless(
    "inheritance",
    "a derived class added",
    "nothing leads there",
    "struct B { int x; };\nHOTPATCH int f(B *p) { return p->x; }",
    "struct B { int x; }; struct D : B { int y; }; D d;\nHOTPATCH int f(B *p) { return p->x; }",
  ),
  harmless(
    "inheritance",
    "final",
    "it forbids, and changes nothing",
    "struct S { int x; };\nHOTPATCH int f(S *p) { return p->x; }",
    "struct S final { int x; };\nHOTPATCH int f(S *p) { return p->x; }",
  ),
  harmless(
    "access",
    "members made private",
    "they lie where they lay",
    "struct S { int x; int y; int sum() { return x + y; } };\nHOTPATCH int f(S *p) { return p->sum(); }",
    "class S { int x; int y; public: int sum() { return x + y; } };\nHOTPATCH int f(S *p) { return p->sum(); }",
  ),
  harmless(
    "noexcept",
    "function made noexcept",
    "callers call it as before",
    "HOTPATCH int f(int *p) { return *p; }",
    "HOTPATCH int f(int *p) noexcept { return *p; }",
  ),
  harmless(
    "const",
    "a method made const",
    "the same object is passed",
    'struct S { int x; int look(); }; extern "C" HOTPATCH int f(S *p) { return p->look(); }\nint S::look() { return x; }',
    'struct S { int x; int look() const; }; extern "C" HOTPATCH int f(const S *p) { return p->look(); }\nint S::look() const { return x; }',
  ),
  harmless(
    "reference",
    "a pointer argument to a reference",
    "both are an address",
    'extern "C" HOTPATCH int f(int *p) { return *p; }',
    'extern "C" HOTPATCH int f(int &p) { return p; }',
  ),
  harmless(
    "reference",
    "rvalue to lvalue reference",
    "both are an address",
    'struct S { int x; }; extern "C" HOTPATCH int f(S &&p) { return p.x; }',
    'struct S { int x; }; extern "C" HOTPATCH int f(S &p) { return p.x; }',
  ),
  harmless(
    "rename",
    "a namespace renamed",
    "its type has the same members",
    'namespace a { struct S { int x; }; } extern "C" HOTPATCH int f(a::S *p) { return p->x; }',
    'namespace b { struct S { int x; }; } extern "C" HOTPATCH int f(b::S *p) { return p->x; }',
  ),
  harmless(
    "rename",
    "an inline namespace added",
    "its type has the same members",
    'namespace a { struct S { int x; }; } extern "C" HOTPATCH int f(a::S *p) { return p->x; }',
    'namespace a { inline namespace v2 { struct S { int x; }; } } extern "C" HOTPATCH int f(a::S *p) { return p->x; }',
  ),
  harmless(
    "rename",
    "a class renamed",
    "its members are the same",
    'class S { public: int x; }; extern "C" HOTPATCH int f(S *p) { return p->x; }',
    'class Entry { public: int x; }; extern "C" HOTPATCH int f(Entry *p) { return p->x; }',
  ),
  harmless(
    "lambda",
    "a lambda added",
    "only code has changed",
    "HOTPATCH int f(int *p) { return *p; }",
    "HOTPATCH int f(int *p) { auto twice = [](int x) { return 2 * x; }; return twice(*p); }",
  ),
  harmless(
    "lambda",
    "its captures edited",
    "it lives as long as the call",
    "HOTPATCH int f(int *p) { int n = 1; auto g = [n](int x) { return n * x; }; return g(*p); }",
    "HOTPATCH int f(int *p) { double d = 2; int n = 1; auto g = [n, d](int x) { return n * x + (int)d; }; return g(*p); }",
  ),
  harmless(
    "body",
    "an exception thrown",
    "only code has changed",
    "HOTPATCH int f(int *p) { return *p; }",
    "HOTPATCH int f(int *p) { if (*p < 0) throw 3; return *p; }",
  ),
  harmless(
    "body",
    "a string used",
    "locals live as long as the call",
    "HOTPATCH int f(int *p) { return *p; }",
    "#include <string>\nHOTPATCH int f(int *p) { return (int)std::to_string(*p).size(); }",
  ),
  harmless(
    "body",
    "a sort used",
    "only code has changed",
    "#include <vector>\nHOTPATCH int f(std::vector<int> &v) { return v[0]; }",
    "#include <algorithm>\n#include <vector>\nHOTPATCH int f(std::vector<int> &v) { std::sort(v.begin(), v.end()); return v[0]; }",
  ),
  harmless(
    "declaration",
    "functions reordered",
    "functions are known by name",
    "struct S { int x; };\nHOTPATCH int f(S *p) { return p->x; }\nHOTPATCH int g(S *p) { return -p->x; }",
    "struct S { int x; };\nHOTPATCH int g(S *p) { return -p->x; }\nHOTPATCH int f(S *p) { return p->x; }",
  ),
  harmless(
    "declaration",
    "an overload added",
    "the old one keeps its name",
    "struct S { int x; };\nHOTPATCH int f(S *p) { return p->x; }",
    "struct S { int x; };\nHOTPATCH int f(S *p) { return p->x; }\nHOTPATCH int f(S *p, int n) { return p->x + n; }",
  ),
];

/** Inheritance of classes without virtual functions. */
const bases = (what: string, why: string, before: string, after: string): Row => ({
  what: `inheritance, ${what}`,
  cause: "inheritance",
  expect: "refuse",
  why,
  old: `${before}\nint make();\nint make() { S s{}; return s.z; }\nHOTPATCH int f(S *p) { return p->z; }`,
  new: `${after}\nint make();\nint make() { S s{}; return s.z; }\nHOTPATCH int f(S *p) { return p->z; }`,
});
const TWO = "struct B1 { int x; }; struct B2 { int y; };";
const BASES: readonly Row[] = [
  bases("a base added", "the members have moved", `${TWO} struct S { int z; };`, `${TWO} struct S : B1 { int z; };`),
  bases("a base removed", "the members have moved", `${TWO} struct S : B1 { int z; };`, `${TWO} struct S { int z; };`),
  bases(
    "a second base added",
    "the members have moved",
    `${TWO} struct S : B1 { int z; };`,
    `${TWO} struct S : B1, B2 { int z; };`,
  ),
  bases(
    "bases swapped",
    "each base lies where the other did",
    `${TWO} struct S : B1, B2 { int z; };`,
    `${TWO} struct S : B2, B1 { int z; };`,
  ),
  bases(
    "virtual bases swapped",
    "the vtable's offsets lead to the other base",
    `${TWO} struct S : virtual B1, virtual B2 { int z; };`,
    `${TWO} struct S : virtual B2, virtual B1 { int z; };`,
  ),
  bases(
    "three virtual bases in another order",
    "the vtable's offsets lead to other bases",
    `${TWO} struct B3 { int w; }; struct S : virtual B1, virtual B2, virtual B3 { int z; };`,
    `${TWO} struct B3 { int w; }; struct S : virtual B1, virtual B3, virtual B2 { int z; };`,
  ),
  bases(
    "virtual bases of a base swapped",
    "the vtable's offsets lead to the other base",
    `${TWO} struct M : virtual B1, virtual B2 { int m; }; struct S : M { int z; };`,
    `${TWO} struct M : virtual B2, virtual B1 { int m; }; struct S : M { int z; };`,
  ),
  bases(
    "a base made virtual",
    "it lies at the end now",
    `${TWO} struct S : B1 { int z; };`,
    `${TWO} struct S : virtual B1 { int z; };`,
  ),
  bases(
    "a virtual base added",
    "the vtable has another offset",
    `${TWO} struct S : virtual B1 { int z; };`,
    `${TWO} struct S : virtual B1, virtual B2 { int z; };`,
  ),
  bases(
    "a base replaced",
    "a float is read as an int",
    `${TWO} struct B3 { float x; }; struct S : B1 { int z; };`,
    `${TWO} struct B3 { float x; }; struct S : B3 { int z; };`,
  ),
  bases(
    "a member moved into the base",
    "objects of the base itself end before it",
    `struct B { int x; }; struct S : B { int y; int z; };`,
    `struct B { int x; int y; }; struct S : B { int z; };`,
  ),
  bases(
    "padding of a base reused",
    "with a constructor, the base lends its padding",
    "struct B { int x; char c; }; struct S : B { char z; };",
    "struct B { B() : x(1), c(2) {} private: int x; char c; }; struct S : B { char z; };",
  ),
  bases(
    "no_unique_address",
    "an empty member takes no place any more",
    "struct Tag {}; struct S { Tag tag; int z; };",
    "struct Tag {}; struct S { [[no_unique_address]] Tag tag; int z; };",
  ),
];

/** Variables that the loader keeps once in a process, however many copies of the library have them. */
const UNIQUE: readonly (readonly [name: string, declare: string, get: string])[] = [
  ["inline", "inline E world;", "world"],
  ["inline in a class", "struct Game { static inline E world; };", "Game::world"],
  [
    "static of a template",
    "template <int N> struct Holder { static E world; }; template <int N> E Holder<N>::world;",
    "Holder<1>::world",
  ],
  ["static of an inline function", "inline E &world() { static E e; return e; }", "world()"],
];

/** State, and what lives on although it is not declared as state. */
const STATEFUL: readonly Row[] = [
  ...(
    [
      "std::vector<E>",
      "std::map<int, E>",
      "std::unique_ptr<E>",
      "std::list<E>",
      "std::optional<E>",
      "std::unordered_map<int, E>",
    ] as const
  ).flatMap((type): Row[] => {
    const source = (members: string) =>
      `#include <list>\n#include <map>\n#include <memory>\n#include <optional>\n#include <unordered_map>\n#include <vector>\nstruct E { ${members} };\nusing World = ${type};\nHOTPATCH_STATE(World, world, {});\nstatic int look(E &e) { return e.a + (int)e.b; }\nHOTPATCH int f() { World &w = HOTPATCH_GET(world); return ${reach(type)}; }`;
    return [
      {
        what: `state, ${type} of an edited type`,
        cause: "state",
        expect: "refuse",
        why: "the live elements have the other order",
        old: source("int a; float b;"),
        new: source("float b; int a;"),
      },
      {
        what: `state, ${type} and a body edited`,
        cause: "state",
        expect: "same",
        why: "only code has changed",
        old: source("int a; float b;"),
        new: source("int a; float b;").replace("return e.a", "return 2 * e.a"),
      },
    ];
  }),
  ...UNIQUE.flatMap(([name, declare, get]) => {
    const source = (members: string, use = `${get}.a + (int)${get}.b`) =>
      `struct E { ${members} };\n${declare}\nHOTPATCH int f() { return ${use}; }`;
    // With -flto the loader does not keep one of them: a copy has its own.
    const flags = ["-fno-lto"];
    const row = { cause: "unique variable", compiler: "gcc", flags, old: source("int a; float b;") } as const;
    const why = "gcc has the loader keep one of them in the process, and";
    return [
      {
        ...row,
        what: `unique variable, ${name}, swapped`,
        expect: "refuse",
        why: `${why} its members have changed places`,
        new: source("float b; int a;"),
      },
      {
        ...row,
        what: `unique variable, ${name}, other kind`,
        expect: "refuse",
        why: `${why} its int is read as a float`,
        new: source("float a; float b;"),
      },
      {
        ...row,
        what: `unique variable, ${name}, grown`,
        expect: "refuse",
        why: `${why} it is shorter`,
        new: source("int a; float b; long c;"),
      },
      {
        ...row,
        what: `unique variable, ${name}, body`,
        expect: "same",
        why: "only code has changed",
        new: source("int a; float b;", `2 * ${get}.a`),
      },
    ] satisfies Row[];
  }),
  ...(
    [
      [
        "exchanged",
        "refuse",
        "two local structs of one name, size and line have changed places",
        "float b; int a;",
        "int a; float b;",
      ],
      ["and a body edited", "same", "only code has changed", "int a; float b;", "float b; int a;"],
    ] as const
  ).map(
    ([what, expect, why, first, second]): Row => ({
      what: `same name, two local structs ${what}`,
      cause: "same name",
      expect,
      why,
      old: locals("int a; float b;", "float b; int a;", "p->a"),
      new: locals(first, second, "3 * p->a"),
    }),
  ),
];

/** Two local structs of one name, size and line. */
function locals(first: string, second: string, use: string): string {
  return `inline auto one() { struct L { ${first} }; return L{}; } inline auto two() { struct L { ${second} }; return L{}; }
using A = decltype(one()); using B = decltype(two());
extern "C" HOTPATCH int f(A *p, B *q) { return ${use} + (int)p->b + q->a + (int)q->b; }`;
}

function reach(type: string): string {
  if (/map/.test(type)) return "look(w.begin()->second)";
  if (/unique_ptr|optional/.test(type)) return "look(*w)";
  return "look(w.front())";
}

/** All pairs in C++ that are in no file of their own. */
export const CPP_PAIRS: readonly Pair[] = [
  ...product("C++", CORE, CPP_WAYS),
  ...turns("C++", CPP_EDITS, CPP_WAYS, 3),
  ...turns("C++", MORE, [...CPP_WAYS, ...CONTAINERS], 1),
  ...pairsOf("C++", HEAD, [...TEMPLATES, ...HARMLESS, ...BASES, ...STATEFUL]),
];
