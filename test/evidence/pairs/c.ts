/** Pairs in C. */
import { CORE, MORE } from "./edits.js";
import { HEAD, type Pair, pairsOf, type Row } from "./pair.js";
import { product, turns, WAYS } from "./ways.js";

/** An edit of a function's own type. */
const signature = (what: string, why: string, before: string, after: string, cause = "signature"): Row => ({
  what: `${cause}, ${what}`,
  cause,
  expect: "refuse",
  why,
  old: `HOTPATCH ${before}`,
  new: `HOTPATCH ${after}`,
});

const SIGNATURES: readonly Row[] = [
  signature(
    "one argument more",
    "old callers pass nothing for it",
    "int f(int a) { return a; }",
    "int f(int a, int b) { return a + b; }",
  ),
  signature(
    "one argument less",
    "the arguments behind it have moved",
    "int f(char *s, int a) { return a + *s; }",
    "int f(int a) { return a; }",
  ),
  signature(
    "two arguments swapped",
    "each arrives as the other",
    "int f(int a, long b) { return a + (int)b; }",
    "int f(long b, int a) { return a + (int)b; }",
  ),
  signature(
    "int to double",
    "old callers pass it in another register",
    "int f(int a) { return a; }",
    "int f(double a) { return (int)a; }",
  ),
  signature(
    "int to long",
    "the upper half is what was left in the register",
    "long f(int a) { return a; }",
    "long f(long a) { return a; }",
  ),
  signature(
    "int to unsigned",
    "a negative number arrives as a large one",
    "long f(int a) { return a; }",
    "long f(unsigned a) { return a; }",
  ),
  signature(
    "float to double",
    "old callers pass half as many bits",
    "int f(float a) { return (int)a; }",
    "int f(double a) { return (int)a; }",
  ),
  signature(
    "pointer to value",
    "an address arrives as a number",
    "long f(long *a) { return *a; }",
    "long f(long a) { return a; }",
  ),
  signature(
    "value to pointer",
    "a number would be followed",
    "long f(long a) { return a; }",
    "long f(long *a) { return *a; }",
  ),
  signature(
    "result int to float",
    "old callers read another register",
    "int f(int a) { return a; }",
    "float f(int a) { return a; }",
  ),
  signature(
    "result int to long",
    "old callers read half of it",
    "int f(int a) { return a; }",
    "long f(int a) { return a; }",
  ),
  signature(
    "result int to char",
    "old callers read more than is returned",
    "int f(int a) { return a; }",
    "char f(int a) { return (char)a; }",
  ),
  signature(
    "result removed",
    "old callers read what was left in the register",
    "int f(int *a) { return *a; }",
    "void f(int *a) { *a = 1; }",
  ),
  signature(
    "variadic",
    "old callers do not say how many vector registers they pass",
    "int f(int a) { return a; }",
    "int f(int a, ...) { __builtin_va_list l; __builtin_va_start(l, a); int b = __builtin_va_arg(l, int); __builtin_va_end(l); return b; }",
  ),
  signature(
    "pointer to other pointer",
    "a string is read as an int",
    "int f(char *a) { return *a; }",
    "int f(int *a) { return *a; }",
  ),
  signature(
    "callback argument",
    "the callback gets what it does not take",
    "int f(int (*g)(int)) { return g(1); }",
    "int f(int (*g)(double)) { return g(1); }",
  ),
  signature(
    "array argument's elements",
    "the elements are read in another size",
    "int f(short a[4]) { return a[1]; }",
    "int f(int a[4]) { return a[1]; }",
  ),
  signature(
    "array argument's row",
    "a[1] is further on",
    "int f(int a[][2]) { return a[1][0]; }",
    "int f(int a[][4]) { return a[1][0]; }",
  ),
  signature(
    "small struct to large",
    "large ones are passed in memory",
    "int f(struct { int a; } v) { return v.a; }",
    "int f(struct { int a[8]; } v) { return v.a[0]; }",
    "by value",
  ),
  signature(
    "ints to floats",
    "floats are passed in vector registers",
    "int f(struct { int a, b; } v) { return v.a + v.b; }",
    "int f(struct { float a, b; } v) { return (int)(v.a + v.b); }",
    "by value",
  ),
  signature(
    "struct to two arguments",
    "both are passed in a register of their own",
    "int f(struct { int a, b; } v) { return v.a + v.b; }",
    "int f(int a, int b) { return a + b; }",
    "by value",
  ),
  signature(
    "vector's elements",
    "ints are read as floats",
    "int f(__attribute__((vector_size(16))) int v) { return v[1]; }",
    "int f(__attribute__((vector_size(16))) float v) { return (int)v[1]; }",
    "by value",
  ),
  signature(
    "complex to double",
    "the imaginary part is in the register's other half",
    "float f(_Complex float c) { return __real__ c; }",
    "float f(double c) { return (float)c; }",
    "by value",
  ),
  signature(
    "long double to double",
    "long double is passed in memory",
    "int f(long double a) { return (int)a; }",
    "int f(double a) { return (int)a; }",
    "by value",
  ),
  signature(
    "__int128 to long",
    "half of it is read",
    "long f(__int128 a) { return (long)(a >> 64); }",
    "long f(long a) { return a; }",
    "by value",
  ),
  signature(
    "long double to __float128",
    "both have 16 bytes, in other formats",
    "int f(long double *a) { return *a > 1; }",
    "int f(__float128 *a) { return *a > 1; }",
    "number format",
  ),
  {
    ...signature(
      "double to _Decimal64",
      "both have 8 bytes, in other formats",
      "int f(double *a) { return *a > 1; }",
      "int f(_Decimal64 *a) { return (int)*a; }",
      "number format",
    ),
    compiler: "gcc",
  },
  signature(
    "float complex to double",
    "both have 8 bytes",
    "int f(_Complex float *a) { return (int)__real__ *a; }",
    "int f(double *a) { return (int)*a; }",
    "number format",
  ),
  signature(
    "__int128 to long double",
    "both have 16 bytes",
    "int f(__int128 *a) { return (int)*a; }",
    "int f(long double *a) { return (int)*a; }",
    "number format",
  ),
  signature(
    "char to _Bool",
    "only 0 and 1 may lie in a _Bool",
    "int f(char *a) { return *a; }",
    "int f(_Bool *a) { return *a; }",
    "number format",
  ),
  signature(
    "a vector of other elements",
    "four ints are read as eight shorts",
    "int f(__attribute__((vector_size(16))) int *v) { return (*v)[1]; }",
    "int f(__attribute__((vector_size(16))) short *v) { return (*v)[1]; }",
    "number format",
  ),
];

const MS = "__attribute__((ms_abi))";
const RECORD = "struct S { int id; short kind; };";
const READ = "HOTPATCH int f(struct S *p) { return p->id + p->kind; }";
const CALL = "HOTPATCH int f(struct S *p) { return p->on(p->id, 2); }";

const WIDE = "typedef int wide __attribute__((vector_size(32)));";
/** A struct that seems to be of a header. */
const header = (members: string): string =>
  `#line 1 "types.h"\nstruct S { ${members} };\n#line 9 "unit0.c"\nHOTPATCH int f(struct S *p) { return (int)p->x + (int)p->y; }`;

const CONVENTIONS: readonly Row[] = [
  {
    what: "calling convention, a callback becomes ms_abi (clang)",
    cause: "calling convention",
    expect: "refuse",
    why: "the live callback takes its arguments from other registers, and clang says so",
    compiler: "clang",
    old: `struct S { int id; int (*on)(int, int); };\n${CALL}`,
    new: `struct S { int id; int (${MS} *on)(int, int); };\n${CALL}`,
  },
  {
    what: "calling convention, a callback becomes ms_abi (gcc)",
    cause: "calling convention",
    expect: "not-seen",
    why: "the live callback takes its arguments from other registers, and gcc does not say so",
    compiler: "gcc",
    old: `struct S { int id; int (*on)(int, int); };\n${CALL}`,
    new: `struct S { int id; int (${MS} *on)(int, int); };\n${CALL}`,
  },
  {
    what: "calling convention, a callback argument becomes ms_abi (clang)",
    cause: "calling convention",
    expect: "refuse",
    why: "the host's callback takes its arguments from other registers, and clang says so",
    compiler: "clang",
    old: "HOTPATCH int f(int (*on)(int, int)) { return on(1, 2); }",
    new: `HOTPATCH int f(int (${MS} *on)(int, int)) { return on(1, 2); }`,
  },
  {
    what: "calling convention, the function becomes ms_abi (clang)",
    cause: "calling convention",
    expect: "refuse",
    why: "old callers pass arguments in other registers, and clang says so",
    compiler: "clang",
    old: "HOTPATCH int f(int a, int b) { return a - b; }",
    new: `HOTPATCH ${MS} int f(int a, int b) { return a - b; }`,
  },
  {
    what: "calling convention, the callback's type stays ms_abi",
    cause: "calling convention",
    expect: "same",
    why: "it was ms_abi before",
    old: `struct S { int id; int (${MS} *on)(int, int); };\n${CALL}`,
    new: `struct S { int id; int (${MS} *on)(int, int); };\n${CALL.replace("2)", "3)")}`,
  },
  {
    what: "storage order, big-endian struct",
    cause: "storage order",
    expect: "refuse",
    why: "the live numbers have their bytes the other way round",
    compiler: "gcc",
    old: `${RECORD}\n${READ}`,
    new: `struct __attribute__((scalar_storage_order("big-endian"))) S { int id; short kind; };\n${READ}`,
  },
  {
    what: "storage order, big-endian struct in a struct",
    cause: "storage order",
    expect: "refuse",
    why: "the live numbers have their bytes the other way round",
    compiler: "gcc",
    old: `struct In { int id; long kind; }; struct S { struct In in; int n; };\nHOTPATCH int f(struct S *p) { return p->in.id + (int)p->in.kind; }`,
    new: `struct __attribute__((scalar_storage_order("big-endian"))) In { int id; long kind; }; struct S { struct In in; int n; };\nHOTPATCH int f(struct S *p) { return p->in.id + (int)p->in.kind; }`,
  },
  {
    what: "storage order, big-endian array",
    cause: "storage order",
    expect: "refuse",
    why: "the live elements have their bytes the other way round",
    compiler: "gcc",
    old: "struct S { int id; int d[4]; };\nHOTPATCH int f(struct S *p) { return p->d[2]; }",
    new: 'struct __attribute__((scalar_storage_order("big-endian"))) S { int id; int d[4]; };\nHOTPATCH int f(struct S *p) { return p->d[2]; }',
  },
  {
    what: "vector registers, a vector of 32 bytes by value",
    cause: "vector registers",
    expect: "not-seen",
    why: "with AVX it is passed in a register, without it in memory; no debug information says which",
    old: `${WIDE}\nHOTPATCH int f(wide v) { return v[1]; }`,
    new: `${WIDE}\nHOTPATCH __attribute__((target("avx"))) int f(wide v) { return v[1]; }`,
  },
  {
    what: "vector registers, a vector of 32 bytes behind a pointer",
    cause: "vector registers",
    expect: "same",
    why: "it lies in memory with AVX and without",
    old: `${WIDE}\nHOTPATCH int f(wide *v) { return (*v)[1]; }`,
    new: `${WIDE}\nHOTPATCH __attribute__((target("avx"))) int f(wide *v) { return (*v)[1]; }`,
  },
  {
    what: "transparent union, of pointers",
    cause: "calling convention",
    expect: "same",
    why: "a union of pointers and a pointer are passed in the same register",
    old: "typedef union { int *i; unsigned *u; } both;\nHOTPATCH int f(both p) { return *p.i; }",
    new: "typedef union { int *i; unsigned *u; } both __attribute__((transparent_union));\nHOTPATCH int f(both p) { return *p.i; }",
  },
  ...(["int y; int x;", "float x; int y;", "int x; long y;"] as const).map(
    (members): Row => ({
      what: `described elsewhere, int x; int y; to ${members}`,
      cause: "class described nowhere",
      expect: "not-seen",
      why: "it is misread, and with this option gcc leaves out the types of headers",
      compiler: "gcc",
      flags: ["-femit-struct-debug-baseonly"],
      old: header("int x; int y;"),
      new: header(members),
    }),
  ),
];

const OPAQUE = "struct Env; int look(struct Env *e);\nHOTPATCH int f(struct Env *e) { return look(e); }";
const look = (members: string, body: string): string =>
  `struct Env { ${members} }; int look(struct Env *e);\nint look(struct Env *e) { return ${body}; }`;

/** `node` in each of two units is another struct, which C allows. */
const unit = (name: string, members: string): string =>
  `struct node { ${members} };\nHOTPATCH int ${name}(struct node *p) { return p->a + (int)p->b; }`;
const [INT_FLOAT, FLOAT_INT] = ["int a; float b;", "float b; int a;"];

const UNITS: readonly Row[] = [
  {
    what: "opaque type, nobody describes it",
    cause: "opaque type",
    expect: "same",
    why: "the library cannot depend on what it does not know",
    old: "struct Env; int look(struct Env *e, int n);\nHOTPATCH int f(struct Env *e) { return look(e, 1); }",
    new: "struct Env; int look(struct Env *e, int n);\nHOTPATCH int f(struct Env *e) { return look(e, 2); }",
  },
  {
    what: "opaque type, a FILE",
    cause: "opaque type",
    expect: "same",
    why: "the C library's type is the same",
    old: '#include <stdio.h>\nHOTPATCH int f(FILE *to) { return fputs("one", to); }',
    new: '#include <stdio.h>\nHOTPATCH int f(FILE *to) { return fputs("another", to); }',
  },
  {
    what: "opaque type, described elsewhere and the same",
    cause: "opaque type",
    expect: "same",
    why: "only code of the unit that knows it has changed",
    old: [OPAQUE, look("int a; int b;", "e->a")],
    new: [OPAQUE, look("int a; int b;", "e->a + e->b")],
  },
  {
    what: "opaque type, its member renamed elsewhere",
    cause: "opaque type",
    expect: "same",
    why: "offset and type are the same",
    old: [OPAQUE, look("int a; int b;", "e->a")],
    new: [OPAQUE, look("int first; int b;", "e->first")],
  },
  {
    what: "opaque type, the struct replaced",
    cause: "opaque type",
    expect: "refuse",
    why: "callers pass an Env, the new code takes it for another struct",
    old: OPAQUE,
    new: OPAQUE.replaceAll("Env", "Scene"),
  },
  {
    what: "opaque type, a pointer in a struct, edited elsewhere",
    cause: "opaque type",
    expect: "refuse",
    why: "live objects of the unit that knows it are misread",
    old: [
      "struct Env; int look(struct Env *e); struct S { int n; struct Env *env; };\nHOTPATCH int f(struct S *p) { return look(p->env) + p->n; }",
      look("int a; float b;", "e->a + (int)e->b"),
    ],
    new: [
      "struct Env; int look(struct Env *e); struct S { int n; struct Env *env; };\nHOTPATCH int f(struct S *p) { return look(p->env) + p->n; }",
      look("float b; int a;", "e->a + (int)e->b"),
    ],
  },
  {
    what: "opaque type, two opaque steps",
    cause: "opaque type",
    expect: "refuse",
    why: "what the hidden struct points to is hidden once more, and has changed places",
    old: [
      OPAQUE,
      "struct Deep; int deep(struct Deep *d); struct Env { int n; struct Deep *deep; };\nint look(struct Env *e) { return deep(e->deep) + e->n; }",
      "struct Deep { int x; int y; }; int deep(struct Deep *d);\nint deep(struct Deep *d) { return d->x - d->y; }",
    ],
    new: [
      OPAQUE,
      "struct Deep; int deep(struct Deep *d); struct Env { int n; struct Deep *deep; };\nint look(struct Env *e) { return deep(e->deep) + e->n; }",
      "struct Deep { int y; int x; }; int deep(struct Deep *d);\nint deep(struct Deep *d) { return d->x - d->y; }",
    ],
  },
  {
    what: "same name, one unit's struct edited",
    cause: "same name",
    expect: "refuse",
    why: "the second unit's struct has its members swapped",
    old: [unit("f", INT_FLOAT), unit("g", INT_FLOAT)],
    new: [unit("f", INT_FLOAT), unit("g", FLOAT_INT)],
  },
  {
    what: "same name, both units' structs exchanged",
    cause: "same name",
    expect: "refuse",
    why: "each function reads what the other's callers have",
    old: [unit("f", INT_FLOAT), unit("g", FLOAT_INT)],
    new: [unit("f", FLOAT_INT), unit("g", INT_FLOAT)],
  },
  {
    what: "same name, different structs and only a body edited",
    cause: "same name",
    expect: "same",
    why: "each unit's struct is as it was",
    old: [unit("f", INT_FLOAT), unit("g", FLOAT_INT)],
    new: [unit("f", INT_FLOAT).replace("p->a", "3 * p->a"), unit("g", FLOAT_INT)],
  },
  {
    what: "same name, units linked in another order",
    cause: "same name",
    expect: "same",
    why: "each function takes the struct it took",
    old: [unit("f", INT_FLOAT), unit("g", FLOAT_INT)],
    new: [unit("g", FLOAT_INT), unit("f", INT_FLOAT)],
  },
  {
    what: "same name, two structs without one exchanged",
    cause: "same name",
    expect: "refuse",
    why: "two structs without a name, of one size and line, have changed places",
    old: localPair("int a; float b;", "float b; int a;"),
    new: localPair("float b; int a;", "int a; float b;"),
  },
];

/** Two structs of one name, size and line, each in a struct that is passed. */
function localPair(first: string, second: string): string {
  return `typedef struct { struct { ${first} } in; } One; typedef struct { struct { ${second} } in; } Two;
HOTPATCH int f(One *p, Two *q) { return p->in.a + (int)p->in.b + q->in.a + (int)q->in.b; }`;
}

const ACCOUNT = "struct S { int id; long gold; };";
const LOOK = "HOTPATCH int f(struct S *p) { return p->id + (int)p->gold; }";

/** Harmless edits of a whole file. */
const harmless = (what: string, why: string, before: string, after: string, cause = "declaration"): Row => ({
  what: `${cause}, ${what}`,
  cause,
  expect: "same",
  why,
  old: before,
  new: after,
});

const HARMLESS: readonly Row[] = [
  harmless(
    "functions reordered",
    "functions are known by name",
    `${ACCOUNT}\n${LOOK}\nHOTPATCH int g(int a) { return a; }`,
    `${ACCOUNT}\nHOTPATCH int g(int a) { return a; }\n${LOOK}`,
  ),
  harmless(
    "types reordered",
    "types are known by name",
    `struct A { int a; }; ${ACCOUNT}\n${LOOK}\nHOTPATCH int g(struct A *p) { return p->a; }`,
    `${ACCOUNT} struct A { int a; };\n${LOOK}\nHOTPATCH int g(struct A *p) { return p->a; }`,
  ),
  harmless(
    "a mark added",
    "nobody calls it yet",
    `${ACCOUNT}\n${LOOK}`,
    `${ACCOUNT}\n${LOOK}\nHOTPATCH int g(double d) { return (int)d; }`,
  ),
  harmless(
    "an argument renamed",
    "callers do not name it",
    "HOTPATCH int f(int a) { return a; }",
    "HOTPATCH int f(int amount) { return amount; }",
  ),
  harmless(
    "an array argument as pointer",
    "an array argument is a pointer",
    "HOTPATCH int f(int a[4]) { return a[1]; }",
    "HOTPATCH int f(int *a) { return a[1]; }",
  ),
  harmless(
    "a function argument as pointer",
    "a function argument is a pointer",
    "HOTPATCH int f(int g(int)) { return g(1); }",
    "HOTPATCH int f(int (*g)(int)) { return g(1); }",
  ),
  harmless(
    "a const argument",
    "const binds only the body",
    "HOTPATCH int f(int a) { return a; }",
    "HOTPATCH int f(const int a) { return a; }",
    "const",
  ),
  harmless(
    "a pointer to const",
    "the same pointer",
    `${ACCOUNT}\n${LOOK}`,
    `${ACCOUNT}\n${LOOK.replace("struct S *", "const struct S *")}`,
    "const",
  ),
  harmless(
    "a restrict pointer",
    "the same pointer",
    "HOTPATCH int f(int *a, int *b) { *a = 1; return *b; }",
    "HOTPATCH int f(int *restrict a, int *restrict b) { *a = 1; return *b; }",
    "const",
  ),
  harmless(
    "a volatile pointer",
    "the same pointer",
    "HOTPATCH int f(int *a) { return *a; }",
    "HOTPATCH int f(volatile int *a) { return *a; }",
    "const",
  ),
  harmless(
    "a const result",
    "the same result",
    "HOTPATCH char *f(int a) { static char s[9]; return s + a; }",
    "HOTPATCH const char *f(int a) { static char s[9]; return s + a; }",
    "const",
  ),
  harmless(
    "a header included",
    "nothing of it is used",
    `${ACCOUNT}\n${LOOK}`,
    `#include <stdlib.h>\n#include <string.h>\n${ACCOUNT}\n${LOOK}`,
    "unrelated",
  ),
  harmless(
    "a global added",
    "nothing leads there",
    `${ACCOUNT}\n${LOOK}`,
    `${ACCOUNT}\nint counter = 3;\n${LOOK.replace("p->id", "counter++ + p->id")}`,
    "unrelated",
  ),
  harmless(
    "a static's type edited",
    "statics start afresh",
    `static int last;\n${ACCOUNT}\n${LOOK.replace("return", "last++; return")}`,
    `static double last[4];\n${ACCOUNT}\n${LOOK.replace("return", "last[1]++; return")}`,
    "unrelated",
  ),
  harmless(
    "a local's type edited",
    "locals live as long as the call",
    "HOTPATCH int f(int a) { struct { int x; } t = {a}; return t.x; }",
    "HOTPATCH int f(int a) { struct { int y; long x; } t = {1, a}; return (int)t.x; }",
    "unrelated",
  ),
  harmless(
    "a forward declaration",
    "it declares what is there",
    `${ACCOUNT}\n${LOOK}`,
    `struct S; int f(struct S *p);\n${ACCOUNT}\n${LOOK}`,
  ),
  harmless(
    "tag to typedef",
    "another name for the same struct",
    `${ACCOUNT}\n${LOOK}`,
    `typedef ${ACCOUNT.replace(";\n", "").replace(/;$/, "")} Account;\n${LOOK.replace("struct S", "Account")}`,
    "alias",
  ),
  harmless(
    "an argument's typedef",
    "another name for int",
    "HOTPATCH int f(int a) { return a; }",
    "typedef int amount;\nHOTPATCH amount f(amount a) { return a; }",
    "alias",
  ),
  harmless(
    "an argument's spelling",
    "two spellings of one type",
    "HOTPATCH long f(unsigned long a, unsigned b) { return a + b; }",
    "HOTPATCH long int f(long unsigned int a, unsigned int b) { return a + b; }",
    "alias",
  ),
  harmless(
    "an argument's size_t",
    "size_t is unsigned long here",
    "HOTPATCH long f(unsigned long a) { return a; }",
    "#include <stddef.h>\nHOTPATCH long f(size_t a) { return a; }",
    "alias",
  ),
  harmless(
    "bool and _Bool",
    "bool is a name for _Bool",
    "HOTPATCH _Bool f(_Bool a) { return !a; }",
    "#include <stdbool.h>\nHOTPATCH bool f(bool a) { return !a; }",
    "alias",
  ),
  harmless(
    "a loop added",
    "only code has changed",
    "HOTPATCH int f(int *a, int n) { return a[n - 1]; }",
    "HOTPATCH int f(int *a, int n) { int s = 0; for (int i = 0; i < n; i++) s += a[i]; return s; }",
    "body",
  ),
  harmless(
    "an argument no longer used",
    "callers pass it as before",
    "struct S { int a, b; };\nHOTPATCH int f(struct S v, int n) { return v.a + n; }",
    "struct S { int a, b; };\nHOTPATCH int f(struct S v, int n) { return n; }",
    "body",
  ),
  harmless(
    "a string edited",
    "only code has changed",
    'HOTPATCH const char *f(void) { return "old"; }',
    'HOTPATCH const char *f(void) { return "newer"; }',
    "body",
  ),
  harmless(
    "a table edited",
    "each copy has its own",
    "static const int T[3] = {1, 2, 3};\nHOTPATCH int f(int i) { return T[i]; }",
    "static const int T[4] = {4, 5, 6, 7};\nHOTPATCH int f(int i) { return T[i]; }",
    "body",
  ),
  harmless(
    "an unused large argument used",
    "callers pass it as before",
    "struct B { long d[8]; }; struct V { int a; };\nHOTPATCH struct B f(int x, struct V v) { struct B b = {{x}}; return b; }",
    "struct B { long d[8]; }; struct V { int a; };\nHOTPATCH struct B f(int x, struct V v) { struct B b = {{x + v.a}}; return b; }",
    "body",
  ),
  harmless(
    "state's initialiser",
    "the live value stays",
    "HOTPATCH_STATE(int, score, 1);\nHOTPATCH int f(void) { return HOTPATCH_GET(score)++; }",
    "HOTPATCH_STATE(int, score, 2);\nHOTPATCH int f(void) { return HOTPATCH_GET(score)++; }",
    "state",
  ),
  harmless(
    "state added",
    "it starts with its initialiser",
    "HOTPATCH_STATE(int, score, 1);\nHOTPATCH int f(void) { return HOTPATCH_GET(score)++; }",
    "HOTPATCH_STATE(int, score, 1);\nHOTPATCH_STATE(long, lives, 3);\nHOTPATCH int f(void) { return HOTPATCH_GET(score)++ + (int)HOTPATCH_GET(lives); }",
    "state",
  ),
  harmless(
    "state used by another function",
    "the live value stays",
    "HOTPATCH_STATE(int, score, 1);\nHOTPATCH int f(void) { return HOTPATCH_GET(score)++; }",
    "HOTPATCH_STATE(int, score, 1);\nHOTPATCH int f(void) { return 4; }\nHOTPATCH int g(void) { return HOTPATCH_GET(score); }",
    "state",
  ),
];

/** Edits of a plain variable's type. */
const stateful = (what: string, why: string, before: string, after: string): Row => {
  const source = (type: string) => {
    const named = /\[/.test(type) ? `typedef ${type.replace("[", " T[")};` : `typedef ${type} T;`;
    return `${named}\nHOTPATCH_STATE(T, kept, {0});\nHOTPATCH long f(void) { return *(char *)&HOTPATCH_GET(kept); }`;
  };
  return { what: `state, ${what}`, cause: "state", expect: "refuse", why, old: source(before), new: source(after) };
};

const STATE: readonly Row[] = [
  stateful("int to float", "the bits of an int are read as a float", "int", "float"),
  stateful("int to unsigned", "a negative number is read as a large one", "int", "unsigned"),
  stateful("long to double", "the same size in another format", "long", "double"),
  stateful("long to pointer", "a number would be followed", "long", "int *"),
  stateful("pointer to other", "an int is read as a float", "int *", "float *"),
  stateful("array of other elements", "two ints are read as a long", "int [4]", "long [2]"),
  stateful("array of other dimensions", "d[1][0] is another element", "int [2][6]", "int [3][4]"),
  stateful("int to long", "it has grown into what lies behind it", "int", "long"),
];

/** All pairs in C. */
export const C_PAIRS: readonly Pair[] = [
  ...product("C", CORE, WAYS),
  ...turns("C", MORE, WAYS, 4),
  ...pairsOf("C", HEAD, [...SIGNATURES, ...CONVENTIONS, ...UNITS, ...HARMLESS, ...STATE]),
];
