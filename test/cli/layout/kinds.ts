/**
 * The rows of docs/layout.md: a declaration before and after, and what is to be said of it. `$` is the row's number.
 */

export interface Kind {
  readonly what: string;
  readonly before: string;
  readonly after: string;
  /** The texts of changes, or of remarks; nothing: the same without a remark. `$` as above. */
  readonly changed?: readonly string[];
  readonly remarked?: readonly string[];
  /** Version of DWARF that tells: earlier ones have no words for it. */
  readonly since?: number;
}

/** A struct behind a pointer, in the language of `take`. */
const struct = (before: string, after: string) => ({
  before: `struct s$ { ${before} }; ${take("struct s$ *")}`,
  after: `struct s$ { ${after} }; ${take("struct s$ *")}`,
});
const take = (argument: string): string => `HP int f$(${argument} p); HP int f$(${argument} p) { return p != 0; }`;
const declared = (text: string, body: string): string => `HP ${text}; HP ${text} { ${body} }`;

export const C_KINDS: readonly Kind[] = [
  {
    what: "nothing but the body",
    before: declared("int f$(int x)", "return x;"),
    after: declared("int f$(int x)", "return x * 7;"),
  },
  {
    what: "a field that others are moved by",
    ...struct("int id; int x; int hp;", "int id; int x; int armour; int hp;"),
    changed: ["struct s$: size 12 -> 16; field hp: int at 8 -> int at 12; field armour: int at 8 added"],
  },
  {
    what: "a struct behind a pointer in a struct",
    before: `struct in$ { char c; int hp; }; struct s$ { struct in$ *in; }; ${take("struct s$ *")}`,
    after: `struct in$ { char c; long hp; }; struct s$ { struct in$ *in; }; ${take("struct s$ *")}`,
    changed: ["struct in$: size 8 -> 16; field hp: int at 4 -> long at 8"],
  },
  { what: "a field's type", ...struct("int a;", "float a;"), changed: ["struct s$: field a: int at 0 -> float at 0"] },
  {
    what: "a field's sign",
    ...struct("int a;", "unsigned int a;"),
    changed: ["struct s$: field a: int at 0 -> unsigned int at 0"],
  },
  {
    what: "a type of another name and the same kind",
    ...struct("long a;", "long long a;"),
    remarked: ["struct s$: field a: long at 0 is now long long at 0"],
  },
  {
    what: "a field's name",
    ...struct("int hp; int b;", "int health; int b;"),
    remarked: ["struct s$: field hp is now named health"],
  },
  {
    what: "a field in what was padding",
    ...struct("char a; int b;", "char a; char c; int b;"),
    changed: ["struct s$: field c: char at 1 added"],
  },
  {
    what: "a field that is removed",
    ...struct("int a; int b; long c;", "int a; long c;"),
    changed: ["struct s$: field b: int at 4 removed"],
  },
  {
    what: "two fields that change places",
    ...struct("int a; int b;", "int b; int a;"),
    changed: ["struct s$: field a: int at 0 -> int at 4; field b: int at 4 -> int at 0"],
  },
  {
    what: "an array's length",
    ...struct("char a[16];", "char a[24];"),
    changed: ["struct s$: size 16 -> 24; field a: char[16] at 0 -> char[24] at 0"],
  },
  {
    what: "an array that ends the struct",
    ...struct("int n; int a[];", "int n; float a[];"),
    changed: ["struct s$: field a: int[] at 4 -> float[] at 4"],
  },
  {
    what: "an array of two dimensions",
    ...struct("int a[2][6];", "int a[3][4];"),
    changed: ["struct s$: field a: int[2][6] at 0 -> int[3][4] at 0"],
  },
  {
    what: "a bitfield's width",
    ...struct("unsigned a : 3, b : 5;", "unsigned a : 4, b : 5;"),
    changed: [
      "struct s$: field a: unsigned int:3 at 0 bit 0 -> unsigned int:4 at 0 bit 0; field b: unsigned int:5 at 0 bit 3 -> unsigned int:5 at 0 bit 4",
    ],
  },
  { what: "a bitfield that is kept", ...struct("unsigned a : 3, b : 15, c : 20;", "unsigned a : 3, b : 15, c : 20;") },
  {
    what: "a union that has grown",
    before: `union u$ { int i; float f; }; ${take("union u$ *")}`,
    after: `union u$ { int i; float f; double d; }; ${take("union u$ *")}`,
    changed: ["union u$: size 4 -> 8; field d: double at 0 added"],
  },
  {
    what: "a struct that has become a union",
    before: `struct t$ { int i; }; ${take("struct t$ *")}`,
    after: `union t$ { int i; }; ${take("union t$ *")}`,
    changed: ["struct t$: struct -> union"],
  },
  {
    what: "an anonymous union inside",
    ...struct("int k; union { int i; float f; };", "int k; union { int i; double f; };"),
    changed: ["struct s$: size 8 -> 16; field i: int at 4 -> int at 8; field f: float at 4 -> double at 8"],
  },
  {
    what: "an anonymous struct behind a typedef",
    before: `typedef struct { int a; } t$; ${take("t$ *")}`,
    after: `typedef struct { int b[2]; } t$; ${take("t$ *")}`,
    changed: ["struct t$: size 4 -> 8; field a -> b: int at 0 -> int[2] at 0"],
  },
  {
    what: "a list that refers to itself",
    before: `struct node$ { struct node$ *next; int v; }; ${take("struct node$ *")}`,
    after: `struct node$ { struct node$ *next; long v; }; ${take("struct node$ *")}`,
    changed: ["struct node$: field v: int at 8 -> long at 8"],
  },
  {
    what: "an enum's constant added",
    before: `enum e$ { A$, B$ }; ${take("enum e$ *")}`,
    after: `enum e$ { A$, B$, C$ }; ${take("enum e$ *")}`,
    remarked: ["enum e$: C$ = 2 added"],
  },
  {
    what: "an enum's constant of another value",
    before: `enum e$ { A$, B$ }; ${take("enum e$ *")}`,
    after: `enum e$ { A$, B$ = 5 }; ${take("enum e$ *")}`,
    remarked: ["enum e$: B$ = 1 -> 5"],
  },
  {
    what: "an enum's constant removed",
    before: `enum e$ { A$, B$ }; ${take("enum e$ *")}`,
    after: `enum e$ { A$ }; ${take("enum e$ *")}`,
    remarked: ["enum e$: B$ = 1 removed"],
  },
  {
    what: "an enum's size",
    before: `enum __attribute__((packed)) e$ { A$ }; ${take("enum e$ *")}`,
    after: `enum e$ { A$ }; ${take("enum e$ *")}`,
    changed: ["enum e$: size 1 -> 4"],
  },
  {
    what: "a callback's signature",
    ...struct("int (*on)(int);", "int (*on)(long);"),
    changed: ["struct s$: field on: int (*)(int) at 0 -> int (*)(long) at 0"],
  },
  {
    what: "one argument more",
    before: declared("int f$(int a)", "return a;"),
    after: declared("int f$(int a, int b)", "return b;"),
    changed: ["signature: int (int) -> int (int, int)"],
  },
  {
    what: "an argument's type",
    before: declared("int f$(int a)", "return a;"),
    after: declared("int f$(double a)", "return a;"),
    changed: ["signature: int (int) -> int (double)"],
  },
  {
    what: "the result's type",
    before: declared("int f$(int a)", "return a;"),
    after: declared("float f$(int a)", "return a;"),
    changed: ["signature: int (int) -> float (int)"],
  },
  {
    what: "a result where there was none",
    before: declared("void f$(int a)", ""),
    after: declared("int f$(int a)", "return a;"),
    changed: ["signature: void (int) -> int (int)"],
  },
  {
    what: "more arguments allowed",
    before: declared("int f$(int a)", "return a;"),
    after: declared("int f$(int a, ...)", "return a;"),
    changed: ["signature: int (int) -> int (int, ...)"],
  },
  {
    what: "an argument's name",
    before: declared("int f$(int a)", "return a;"),
    after: declared("int f$(int b)", "return b;"),
  },
  { what: "const", before: take("int *"), after: take("const int *") },
  { what: "a typedef around a type", before: take("int *"), after: `typedef int number$; ${take("number$ *")}` },
  {
    what: "a struct by value",
    before: `struct v$ { int a; }; HP int f$(struct v$ v); HP int f$(struct v$ v) { return v.a; }`,
    after: `struct v$ { int a, b; }; HP int f$(struct v$ v); HP int f$(struct v$ v) { return v.a; }`,
    changed: ["struct v$: size 4 -> 8; field b: int at 4 added"],
  },
  {
    what: "a struct's name",
    before: `struct a$ { int x; }; ${take("struct a$ *")}`,
    after: `struct b$ { int x; }; ${take("struct b$ *")}`,
    remarked: ["signature: int (a$*) is now int (b$*)"],
  },
  {
    what: "another struct",
    before: `struct a$ { int x; }; ${take("struct a$ *")}`,
    after: `struct b$ { long x; }; ${take("struct b$ *")}`,
    changed: ["signature: int (a$*) -> int (b$*)"],
  },
  {
    what: "a field of another struct",
    before: `struct a$ { int x; }; struct s$ { struct a$ *in; }; ${take("struct s$ *")}`,
    after: `struct b$ { long x; }; struct s$ { struct b$ *in; }; ${take("struct s$ *")}`,
    changed: ["struct s$: field in: a$* at 0 -> b$* at 0"],
  },
  {
    what: "a pointer to anything",
    before: take("void *"),
    after: take("int *"),
    changed: ["signature: int (void*) -> int (int*)"],
  },
  {
    what: "a struct that the library only declares",
    before: `struct far$; ${take("struct far$ *")}`,
    after: `struct far$; ${take("struct far$ *")}`,
  },
  {
    what: "another struct that is only declared",
    before: `struct far$; ${take("struct far$ *")}`,
    after: `struct away$; ${take("struct away$ *")}`,
    changed: ["signature: int (far$*) -> int (away$*)"],
  },
  {
    what: "a vector's elements",
    before: `typedef float v$ __attribute__((vector_size(16))); ${take("v$ *")}`,
    after: `typedef int v$ __attribute__((vector_size(16))); ${take("v$ *")}`,
    changed: ["signature: int (float[4] vector*) -> int (int[4] vector*)"],
  },
  {
    what: "_Atomic",
    since: 5,
    ...struct("int a;", "_Atomic int a;"),
    changed: ["struct s$: field a: int at 0 -> _Atomic int at 0"],
  },
  {
    what: "a compiler's attribute for more alignment",
    since: 4,
    before: `struct s$ { long a[4]; }; ${take("struct s$ *")}`,
    after: `struct __attribute__((aligned(32))) s$ { long a[4]; }; ${take("struct s$ *")}`,
    changed: ["struct s$: alignment natural -> 32"],
  },
  { what: "an array without elements, written in two ways", ...struct("int n; int d[];", "int n; int d[0];") },
  {
    what: "members in place of spare ones",
    ...struct("int n; int reserved[3];", "int n; int hp; int mana; int reserved[1];"),
    remarked: ["struct s$: field reserved is now hp, mana, reserved"],
  },
  {
    what: "a spare member that moves what follows",
    ...struct("int reserved; int n;", "int reserved[2]; int n;"),
    changed: [
      "struct s$: size 8 -> 12; field n: int at 4 -> int at 8; field reserved: int at 0 removed; field reserved: int[2] at 0 added",
    ],
  },
  {
    what: "members that are wrapped in an anonymous struct",
    ...struct("int n; int x; int y;", "int n; struct { int x; int y; };"),
  },
  {
    what: "another format of the same size",
    ...struct("long double a;", "__float128 a;"),
    changed: ["struct s$: field a: long double at 0 -> __float128 at 0"],
  },
  {
    what: "what a callback takes",
    ...struct("int (*call)(struct s$ *, int);", "int (*call)(struct s$ *, float);"),
    changed: ["struct s$: field call: int (*)(s$*, int) at 0 -> int (*)(s$*, float) at 0"],
  },
];

const cpp = (types: string, argument: string): string =>
  `${types} extern "C" HP int f$(${argument} p); extern "C" HP int f$(${argument} p) { return (int)sizeof(p); }`;

/**
 * clang describes a class only where it must be complete, and one with a vtable where its constructor is: `v$` calls
 * it.
 */
const used = (types: string, argument: string): string =>
  `${types} extern "C" HP int f$(${argument} *p); extern "C" HP int f$(${argument} *p) { return (int)sizeof(*p); }`;

/** A class that is passed by value. */
const byValue = (members: string): string =>
  `struct s$ { int a; ${members} }; s$ v$; extern "C" HP int f$(s$ p); extern "C" HP int f$(s$ p) { return p.a; }`;

export const CPP_KINDS: readonly Kind[] = [
  {
    what: "a base class that has grown",
    before: used("struct b$ { int x; }; struct s$ : b$ { int y; };", "s$"),
    after: used("struct b$ { int x; int z; }; struct s$ : b$ { int y; };", "s$"),
    changed: [
      "struct s$: size 8 -> 12; field y: int at 4 -> int at 8",
      "struct b$: size 4 -> 8; field z: int at 4 added",
    ],
  },
  {
    what: "a base class more",
    before: used("struct b$ { int x; }; struct s$ { int y; };", "s$"),
    after: used("struct b$ { int x; }; struct s$ : b$ { int y; };", "s$"),
    changed: ["struct s$: size 4 -> 8; field y: int at 0 -> int at 4; base b$: b$ at 0 added"],
  },
  {
    what: "a method that is not virtual",
    before: used("struct s$ { int y; };", "s$"),
    after: used("struct s$ { int y; int twice() { return 2 * y; } };", "s$"),
  },
  {
    what: "a static member",
    before: used("struct s$ { int y; };", "s$"),
    after: used("struct s$ { int y; static int z; };", "s$"),
  },
  {
    what: "class for struct, private for public",
    before: used("struct s$ { int y; };", "s$"),
    after: used("class s$ { int y; };", "s$"),
  },
  {
    what: "a type in namespaces",
    before: used("namespace n$ { namespace m { struct s { int y; }; } }", "n$::m::s"),
    after: used("namespace n$ { namespace m { struct s { long y; }; } }", "n$::m::s"),
    changed: ["struct n$::m::s: size 4 -> 8; field y: int at 0 -> long at 0"],
  },
  {
    what: "a type in a namespace without a name",
    before: used("namespace { struct s$ { int y; }; }", "s$"),
    after: used("namespace { struct s$ { long y; }; }", "s$"),
    changed: ["struct (anonymous namespace)::s$: size 4 -> 8; field y: int at 0 -> long at 0"],
  },
  {
    what: "a virtual function before others",
    before: used("struct s$ { virtual int a(int x) { return x; } }; s$ v$;", "s$"),
    after: used("struct s$ { virtual int n() { return 1; } virtual int a(int x) { return x; } }; s$ v$;", "s$"),
    changed: ["struct s$: virtual function 0: int a(int) -> int n(); virtual function 1: none -> int a(int)"],
  },
  {
    what: "a virtual function's argument",
    before: used("struct s$ { virtual int a(int x) { return x; } }; s$ v$;", "s$"),
    after: used("struct s$ { virtual int a(long x) { return x; } }; s$ v$;", "s$"),
    changed: ["struct s$: virtual function 0: int a(int) -> int a(long)"],
  },
  {
    what: "a virtual function that is overridden now",
    before: used(
      "struct b$ { virtual int a() { return 1; } virtual ~b$() {} }; struct s$ : b$ { int y; }; s$ v$;",
      "s$",
    ),
    after: used(
      "struct b$ { virtual int a() { return 1; } virtual ~b$() {} }; struct s$ : b$ { int y; int a() override { return 2; } ~s$() {} }; s$ v$;",
      "s$",
    ),
  },
  {
    what: "the first virtual function",
    before: used("struct s$ { int y; }; s$ v$;", "s$"),
    after: used("struct s$ { int y; virtual int a() { return 1; } }; s$ v$;", "s$"),
    changed: [
      "struct s$: size 4 -> 16; field y: int at 0 -> int at 8; the vtable added; virtual function 0: none -> int a()",
    ],
  },
  {
    what: "an argument that is now passed by reference",
    before: cpp("struct s$ { int y; };", "s$"),
    after: cpp("struct s$ { int y; ~s$() { y = 0; } };", "s$"),
    changed: ["s$: passed by value -> passed by reference"],
  },
  {
    what: "a member of an argument that is now passed by reference",
    before: cpp("struct m$ { int y; }; struct s$ { m$ m; };", "s$"),
    after: cpp("struct m$ { int y; m$(const m$ &o) : y(o.y) {} }; struct s$ { m$ m; };", "s$"),
    changed: ["s$: passed by value -> passed by reference"],
  },
  {
    what: "a destructor of what a pointer leads to",
    before: used("struct s$ { int y; };", "s$"),
    after: used("struct s$ { int y; ~s$() { y = 0; } };", "s$"),
  },
  {
    what: "a reference for a pointer",
    before: cpp("", "int *"),
    after: cpp("", "int &"),
    remarked: ["signature: int (int*) is now int (int&)"],
  },
  {
    what: "the arguments of a template",
    before: used("template <class T> struct box$ { T value; }; struct s$ { box$<int> b; };", "s$"),
    after: used("template <class T> struct box$ { T value; }; struct s$ { box$<float> b; };", "s$"),
    changed: ["struct s$: field b: box$<int> at 0 -> box$<float> at 0"],
  },
  {
    what: "the integer of a scoped enum",
    before: used("enum class e$ : unsigned char { a };", "e$"),
    after: used("enum class e$ : short { a };", "e$"),
    changed: ["enum e$: size 1 -> 2"],
  },
  {
    what: "the sign of a scoped enum",
    before: used("enum class e$ : unsigned { a };", "e$"),
    after: used("enum class e$ : int { a };", "e$"),
    changed: ["enum e$: unsigned -> signed"],
  },
  {
    what: "a pointer to a member",
    before: used("struct s$ { int y; long z; }; struct t$ { int s$::*m; };", "t$"),
    after: used("struct s$ { int y; long z; }; struct t$ { long s$::*m; };", "t$"),
    changed: ["struct t$: field m: int s$::* at 0 -> long s$::* at 0"],
  },
  {
    what: "a virtual base",
    before: used("struct b$ { int x; }; struct s$ : virtual b$ { int y; }; s$ v$;", "s$"),
    after: used("struct b$ { long x; }; struct s$ : virtual b$ { int y; }; s$ v$;", "s$"),
    changed: ["struct s$: size 16 -> 24", "struct b$: size 4 -> 8; field x: int at 0 -> long at 0"],
  },
  {
    what: "the order of virtual bases",
    before: used(
      "struct b$ { int x; }; struct c$ { int x; }; struct s$ : virtual b$, virtual c$ { int y; }; s$ v$;",
      "s$",
    ),
    after: used(
      "struct b$ { int x; }; struct c$ { int x; }; struct s$ : virtual c$, virtual b$ { int y; }; s$ v$;",
      "s$",
    ),
    changed: ["struct s$: virtual bases b$, c$ -> c$, b$"],
  },
  {
    what: "what a container keeps where its type does not show",
    before: used(
      "struct e$ { int a, b; }; template <class T> struct list$ { void *head; }; e$ x$; list$<e$> v$;",
      "list$<e$>",
    ),
    after: used(
      "struct e$ { int b, a; }; template <class T> struct list$ { void *head; }; e$ x$; list$<e$> v$;",
      "list$<e$>",
    ),
    changed: ["struct e$: field a: int at 0 -> int at 4; field b: int at 4 -> int at 0"],
  },
  {
    what: "what a strong number is named after",
    before: used(
      "struct e$ { int a, b; }; template <class T> struct id$ { int value; }; e$ x$; id$<e$> v$;",
      "id$<e$>",
    ),
    after: used("struct e$ { int b, a; }; template <class T> struct id$ { int value; }; e$ x$; id$<e$> v$;", "id$<e$>"),
  },
  {
    what: "the order that a container keeps",
    before: used(
      "struct less$ {}; struct more$ {}; template <class O> struct set$ { int *root; }; set$<less$> v$;",
      "set$<less$>",
    ),
    after: used(
      "struct less$ {}; struct more$ {}; template <class O> struct set$ { int *root; }; set$<more$> v$;",
      "set$<more$>",
    ),
    changed: ["signature: int (set$<less$>*) -> int (set$<more$>*)"],
  },
  {
    what: "a template's number",
    before: used("template <int N> struct ring$ { int *slots; }; struct s$ { ring$<3> r; };", "s$"),
    after: used("template <int N> struct ring$ { int *slots; }; struct s$ { ring$<4> r; };", "s$"),
    changed: ["struct s$: field r: ring$<3> at 0 -> ring$<4> at 0"],
  },
  {
    what: "virtual functions that differ in const alone, in another order",
    before: used(
      "struct s$ { virtual int f(char *) { return 1; } virtual int f(const char *) { return 2; } }; s$ v$;",
      "s$",
    ),
    after: used(
      "struct s$ { virtual int f(const char *) { return 2; } virtual int f(char *) { return 1; } }; s$ v$;",
      "s$",
    ),
    changed: [
      "struct s$: virtual function 0: int f(char*) -> int f(char*); virtual function 1: int f(char*) -> int f(char*)",
    ],
  },
  {
    what: "a virtual function that became variadic",
    before: used("struct s$ { virtual int f(int) { return 1; } }; s$ v$;", "s$"),
    after: used("struct s$ { virtual int f(int, ...) { return 1; } }; s$ v$;", "s$"),
    changed: ["struct s$: virtual function 0: int f(int) -> int f(int, ...)"],
  },
  {
    what: "a virtual destructor behind all others",
    before: used("struct s$ { virtual int f() { return 1; } }; s$ v$;", "s$"),
    after: used("struct s$ { virtual int f() { return 1; } virtual ~s$() {} }; s$ v$;", "s$"),
    changed: ["struct s$: virtual destructor added"],
  },
  {
    what: "a type that a virtual function uses, renamed",
    before: used("struct old$ { int x; }; struct s$ { virtual int f(old$ *p) { return p->x; } }; s$ v$;", "s$"),
    after: used("struct new$ { int x; }; struct s$ { virtual int f(new$ *p) { return p->x; } }; s$ v$;", "s$"),
    remarked: ["struct s$: virtual function 0: int f(old$*) is now int f(new$*)"],
  },
  {
    what: "a class that can be copied no more",
    before: byValue("s$() {}"),
    after: byValue("s$() {} s$(const s$ &) = delete;"),
    changed: ["s$: passed by value -> passed by reference"],
  },
];
