/** Edits of one type `E`, in what C and C++ have in common. */
import type { Expectation } from "./pair.js";

/** One side of an edit. */
export interface Side {
  /** Declares the type. */
  readonly declare: string;
  /** How it is named. */
  readonly type: string;
  /** An integer made of all that `e`, a pointer to it, leads to. */
  readonly use: string;
}

/** An edit of a type. */
export interface Edit {
  readonly what: string;
  readonly cause: string;
  readonly expect: Exclude<Expectation, "not-seen">;
  readonly why: string;
  readonly old: Side;
  readonly new: Side;
  /** It can only be behind a pointer. */
  readonly unsized?: boolean;
  /** Its name or its spelling differs, by which persistent variables and mangled names are known. */
  readonly renamed?: boolean;
  readonly compiler?: "gcc" | "clang";
}

const BASE = "int id; float hp; long gold;";
const USE = "e->id + (int)e->hp + (int)e->gold";

type Options = Partial<Pick<Edit, "unsized" | "renamed" | "compiler">> & {
  /** For both sides, or for each. */
  readonly use?: string | readonly [string, string];
  /** Before the struct. */
  readonly head?: string | readonly [string, string];
};

const twice = (one: string | readonly [string, string]): readonly [string, string] =>
  typeof one === "string" ? [one, one] : one;

/** An edit of a struct's members. */
export function members(
  cause: string,
  expect: Edit["expect"],
  what: string,
  why: string,
  [before, after]: readonly [string, string],
  { use = USE, head = "", ...rest }: Options = {},
): Edit {
  const [heads, uses] = [twice(head), twice(use)];
  const side = (text: string, i: 0 | 1): Side => ({
    declare: `${heads[i]}struct E { ${text} };`,
    type: "struct E",
    use: uses[i],
  });
  return { what, cause, expect, why, old: side(before, 0), new: side(after, 1), ...rest };
}

/** An edit of the declarations as a whole. */
function whole(
  cause: string,
  expect: Edit["expect"],
  what: string,
  why: string,
  [before, after]: readonly [string, string],
  types: readonly [string, string] = ["struct E", "struct E"],
  uses: string | readonly [string, string] = USE,
  options: Options = {},
): Edit {
  const use = twice(uses);
  return {
    what,
    cause,
    expect,
    why,
    old: { declare: before, type: types[0], use: use[0] },
    new: { declare: after, type: types[1], use: use[1] },
    ...options,
  };
}

const harm = (cause: string, what: string, why: string, sides: readonly [string, string], options: Options = {}) =>
  members(cause, "refuse", what, why, sides, options);
const fine = (cause: string, what: string, why: string, sides: readonly [string, string], options: Options = {}) =>
  members(cause, "same", what, why, sides, options);

/** Each of these is judged along every way. */
export const CORE: readonly Edit[] = [
  harm("struct member", "swapped", "each member is read from where the other lies", [
    BASE,
    "long gold; float hp; int id;",
  ]),
  harm(
    "struct member",
    "swapped alike",
    "two numbers of one type change places, which no size shows",
    ["int id; int hp;", "int hp; int id;"],
    { use: "e->id * 3 + e->hp" },
  ),
  harm("struct member", "inserted", "all members behind it have moved", [
    BASE,
    "int id; int armour; float hp; long gold;",
  ]),
  harm("struct member", "other kind", "the bits of an int are read as a float", [
    BASE,
    "float id; float hp; long gold;",
  ]),
  harm("struct member", "appended", "live objects end before the new member", [BASE, `${BASE} long mana;`], {
    use: [USE, `${USE} + (int)e->mana`],
  }),
  fine("body", "body", "only code has changed", [BASE, BASE], { use: [USE, `7 * (${USE})`] }),
  fine("rename", "member renamed", "offset and type are the same", [BASE, "int key; float hp; long gold;"], {
    use: [USE, "e->key + (int)e->hp + (int)e->gold"],
  }),
  fine("alias", "typedef of a member", "a typedef is another name for int", [BASE, "number id; float hp; long gold;"], {
    head: ["", "typedef int number; "],
  }),
];

const BITS = "e->id + e->flag + e->kind";
const ITEMS = "e->n + (int)e->d[1]";

/** Each of these is judged along a few ways, which take turns. */
export const MORE: readonly Edit[] = [
  harm("struct member", "removed", "what follows has moved up", ["int id; int old; float hp; long gold;", BASE]),
  harm(
    "struct member",
    "added to padding",
    "live objects have anything there",
    ["char c; int id;", "char c; char level; int id;"],
    {
      use: ["e->c + e->id", "e->c + e->level + e->id"],
    },
  ),
  harm("struct member", "sign", "a negative number is read as a large one", [
    BASE,
    "unsigned id; float hp; long gold;",
  ]),
  harm("struct member", "narrower", "half of the number is read", [BASE, "short id; float hp; long gold;"]),
  harm("struct member", "wider", "the number's upper half is its neighbour", [BASE, "long id; float hp; long gold;"]),
  harm("struct member", "float to double", "another format, at another place", [BASE, "int id; double hp; long gold;"]),
  harm("struct member", "long to double", "the same size in another format", [BASE, "int id; float hp; double gold;"]),
  harm(
    "struct member",
    "number to pointer",
    "numbers would be followed as pointers",
    [BASE, "int id; float hp; char *gold;"],
    {
      use: [USE, "e->id + (int)e->hp + *e->gold"],
    },
  ),
  harm(
    "struct member",
    "pointer to number",
    "code that stores numbers breaks old code that follows them",
    ["int id; char *name;", "int id; long name;"],
    { use: ["e->id + *e->name", "e->id + (int)e->name"] },
  ),
  harm(
    "struct member",
    "value to pointer",
    "the first bytes of a value would be followed",
    ["int id; long gold;", "int id; long *gold;"],
    {
      use: ["e->id + (int)e->gold", "e->id + (int)*e->gold"],
    },
  ),
  harm("pointer", "points to another type", "what it points to has other members", ["struct A *in;", "struct B *in;"], {
    head: "struct A { int x; int y; }; struct B { float x; int y; }; ",
    use: "(int)e->in->x + e->in->y",
  }),
  harm(
    "pointer",
    "pointed-to type edited",
    "the members behind the pointer have changed places",
    ["struct In *in;", "struct In *in;"],
    {
      head: ["struct In { int x; int y; }; ", "struct In { int y; int x; }; "],
      use: "e->in->x - e->in->y",
    },
  ),
  harm(
    "pointer",
    "pointed-to twice",
    "two pointers away, a member has another kind",
    ["struct In **in;", "struct In **in;"],
    {
      head: ["struct In { int x; int y; }; ", "struct In { float x; int y; }; "],
      use: "(int)(*e->in)->x + (*e->in)->y",
    },
  ),
  harm("pointer", "one pointer more", "a number would be followed", ["int *at; int id;", "int **at; int id;"], {
    use: ["*e->at + e->id", "**e->at + e->id"],
  }),
  harm(
    "pointer",
    "in a list's node",
    "every node of the live list would be misread",
    ["struct E *next; int x; int y;", "struct E *next; int y; int x;"],
    { use: "(e->next ? e->next->x : 0) + e->x - e->y" },
  ),
  harm(
    "nested",
    "a nested struct's member",
    "the inner struct has grown, what follows has moved",
    ["struct In in; int id;", "struct In in; int id;"],
    { head: ["struct In { char a; char b; }; ", "struct In { char a; int b; }; "], use: "e->in.a + e->in.b + e->id" },
  ),
  harm(
    "nested",
    "an anonymous struct's members",
    "they have changed places inside",
    ["int id; struct { int x; int y; };", "int id; struct { int y; int x; };"],
    { use: "e->id + e->x - e->y" },
  ),
  harm(
    "alignment",
    "packed",
    "without padding, members lie elsewhere",
    ["char c; int id;", "char c; int id __attribute__((packed));"],
    { use: "e->c + e->id" },
  ),
  harm(
    "alignment",
    "aligned",
    "the aligned member has moved",
    ["char c; int id;", "char c; __attribute__((aligned(16))) int id;"],
    { use: "e->c + e->id" },
  ),
  harm("array", "longer", "what follows has moved", ["char name[16]; int id;", "char name[24]; int id;"], {
    use: "e->name[0] + e->id",
  }),
  harm(
    "array",
    "last and longer",
    "live objects end before its last elements",
    ["int id; int d[4];", "int id; int d[6];"],
    {
      use: ["e->id + e->d[3]", "e->id + e->d[5]"],
    },
  ),
  harm("array", "other dimensions", "d[1][0] is another element", ["int d[2][6];", "int d[3][4];"], {
    use: "e->d[1][0]",
  }),
  harm("array", "other elements", "ints are read as floats", ["int n; int d[4];", "int n; float d[4];"], {
    use: ITEMS,
  }),
  harm("array", "elements half as large", "d[1] is in the middle of d[0]", ["int n; int d[4];", "int n; short d[8];"], {
    use: ITEMS,
  }),
  harm("array", "array to pointer", "the first elements would be followed", ["int n; int d[2];", "int n; int *d;"], {
    use: ITEMS,
  }),
  harm(
    "array",
    "array to members of another kind",
    "d[1] is read as a float",
    ["int n; int d[2];", "int n; int d0; float d1;"],
    {
      use: [ITEMS, "e->n + (int)e->d1"],
    },
  ),
  harm(
    "flexible array",
    "other elements",
    "the elements behind the struct have another size",
    ["int n; int d[];", "int n; long d[];"],
    {
      use: ITEMS,
      unsized: true,
    },
  ),
  harm(
    "flexible array",
    "other kind of elements",
    "ints are read as floats",
    ["int n; int d[];", "int n; float d[];"],
    {
      use: ITEMS,
      unsized: true,
    },
  ),
  harm(
    "flexible array",
    "moved by a member",
    "the elements begin further on",
    ["int n; int d[];", "int n; int max; int d[];"],
    {
      use: ITEMS,
      unsized: true,
    },
  ),
  harm(
    "flexible array",
    "elements' members edited",
    "the elements' members have changed places",
    ["int n; struct In d[];", "int n; struct In d[];"],
    {
      head: ["struct In { int x; int y; }; ", "struct In { int y; int x; }; "],
      use: "e->n + e->d[1].x",
      unsized: true,
    },
  ),
  harm(
    "flexible array",
    "[0] with other elements",
    "the elements behind the struct are floats",
    ["int n; int d[0];", "int n; float d[0];"],
    {
      use: ITEMS,
      unsized: true,
    },
  ),
  fine("flexible array", "[] to [0]", "both mean elements behind the struct", ["int n; int d[];", "int n; int d[0];"], {
    use: ITEMS,
    unsized: true,
  }),
  fine(
    "flexible array",
    "[0] to []",
    "both mean elements behind the struct",
    ["int n; short d[0];", "int n; short d[];"],
    {
      use: ITEMS,
      unsized: true,
    },
  ),
  harm(
    "bitfield",
    "wider",
    "the fields behind it have moved",
    ["unsigned id : 3; unsigned flag : 5; int kind;", "unsigned id : 4; unsigned flag : 5; int kind;"],
    { use: BITS },
  ),
  harm(
    "bitfield",
    "swapped",
    "each is read from the other's bits",
    ["unsigned id : 4; unsigned flag : 4; int kind;", "unsigned flag : 4; unsigned id : 4; int kind;"],
    { use: BITS },
  ),
  harm(
    "bitfield",
    "sign",
    "7 becomes -1",
    ["unsigned id : 3; unsigned flag : 5; int kind;", "int id : 3; unsigned flag : 5; int kind;"],
    {
      use: BITS,
    },
  ),
  harm(
    "bitfield",
    "to members",
    "bits become whole ints",
    ["unsigned id : 16; unsigned flag : 16; int kind;", "unsigned id; unsigned flag; int kind;"],
    {
      use: BITS,
    },
  ),
  harm(
    "bitfield",
    "unit closed",
    "a field of no width moves the next",
    ["unsigned id : 3; unsigned flag : 5; int kind;", "unsigned id : 3; unsigned : 0; unsigned flag : 5; int kind;"],
    { use: BITS },
  ),
  fine(
    "bitfield",
    "renamed",
    "the same bits",
    ["unsigned id : 3; unsigned flag : 5; int kind;", "unsigned id : 3; unsigned mark : 5; int kind;"],
    { use: [BITS, "e->id + e->mark + e->kind"] },
  ),
  harm(
    "union",
    "grown",
    "what follows has moved",
    ["union { int i; float f; } u; int id;", "union { int i; float f; double d; } u; int id;"],
    {
      use: "e->u.i + e->id",
    },
  ),
  harm(
    "union",
    "struct to union",
    "both members now share a place",
    ["struct { int i; int j; } u; int id;", "union { int i; int j; } u; int id;"],
    {
      use: "e->u.i + e->u.j + e->id",
    },
  ),
  harm(
    "union",
    "member of another kind",
    "f is stored as a float and read as an int",
    ["int tag; union { int i; float f; } u;", "int tag; union { int i; unsigned char f[4]; } u;"],
    { use: ["e->tag + (int)e->u.f", "e->tag + e->u.f[0]"] },
  ),
  harm(
    "union",
    "a struct in it edited",
    "its members have changed places",
    [
      "int tag; union { struct { int x, y; } a; long raw; } u;",
      "int tag; union { struct { int y, x; } a; long raw; } u;",
    ],
    { use: "e->tag + e->u.a.x - e->u.a.y" },
  ),
  harm("enum", "smaller", "one byte of the number is read", ["enum Kind kind; int id;", "enum Kind kind; int id;"], {
    head: ["enum Kind { COLD, WARM }; ", "enum __attribute__((packed)) Kind { COLD, WARM }; "],
    use: "(e->kind == WARM) + e->id",
  }),
  harm("enum", "larger", "the members behind it have moved", ["enum Kind kind; int id;", "enum Kind kind; int id;"], {
    head: ["enum Kind { COLD, WARM }; ", "enum Kind { COLD, WARM, ALL = 0x7fffffffffffL }; "],
    use: "(e->kind == WARM) + e->id",
  }),
  fine(
    "enum",
    "constant appended",
    "the old constants have their values",
    ["enum Kind kind; int id;", "enum Kind kind; int id;"],
    {
      head: ["enum Kind { COLD, WARM }; ", "enum Kind { COLD, WARM, HOT }; "],
      use: ["(e->kind == WARM) + e->id", "(e->kind == HOT) + e->id"],
    },
  ),
  harm(
    "function pointer",
    "another argument type",
    "the live callback takes an int",
    ["int (*on)(int); int id;", "int (*on)(double); int id;"],
    {
      use: "e->on(e->id)",
    },
  ),
  harm(
    "function pointer",
    "one argument more",
    "the live callback does not know it",
    ["int (*on)(int); int id;", "int (*on)(int, int); int id;"],
    {
      use: ["e->on(e->id)", "e->on(e->id, 2)"],
    },
  ),
  harm(
    "function pointer",
    "another result",
    "the live callback returns it in another register",
    ["int (*on)(int); int id;", "double (*on)(int); int id;"],
    {
      use: "(int)e->on(e->id)",
    },
  ),
  harm(
    "function pointer",
    "a result where there was none",
    "the live callback returns nothing",
    ["void (*on)(int); int id;", "int (*on)(int); int id;"],
    {
      use: ["(e->on(1), e->id)", "e->on(1) + e->id"],
    },
  ),
  harm(
    "function pointer",
    "its argument's members",
    "the live callback reads the old places",
    ["int (*on)(struct In *); int id;", "int (*on)(struct In *); int id;"],
    {
      head: [
        "struct In { int x; int y; }; static struct In sample; ",
        "struct In { int y; int x; }; static struct In sample; ",
      ],
      use: "(sample.x = 3, e->on(&sample)) + e->id",
    },
  ),
  fine(
    "function pointer",
    "behind a typedef",
    "another name for the same pointer",
    ["int (*on)(int); int id;", "handler on; int id;"],
    {
      head: ["", "typedef int (*handler)(int); "],
      use: "e->on(e->id)",
    },
  ),
  fine(
    "alias",
    "long to long int",
    "two spellings of one type",
    ["long id; unsigned long gold;", "long int id; long unsigned int gold;"],
    {
      use: "(int)e->id + (int)e->gold",
    },
  ),
  fine(
    "alias",
    "unsigned to unsigned int",
    "two spellings of one type",
    ["unsigned id; short hp;", "unsigned int id; short int hp;"],
    {
      use: "(int)e->id + e->hp",
    },
  ),
  fine("alias", "unsigned long to size_t", "size_t is unsigned long here", ["unsigned long id;", "size_t id;"], {
    head: ["", "#include <stddef.h>\n"],
    use: "(int)e->id",
  }),
  fine("alias", "int to int32_t", "int32_t is int here", ["int id; unsigned char c;", "int32_t id; uint8_t c;"], {
    head: ["", "#include <stdint.h>\n"],
    use: "e->id + e->c",
  }),
  fine(
    "alias",
    "char to signed char",
    "char is signed here, and as large",
    ["char c; int id;", "signed char c; int id;"],
    {
      use: "e->c + e->id",
    },
  ),
  fine("alias", "long to long long", "both have 64 bits here", ["long id; int x;", "long long id; int x;"], {
    use: "(int)e->id + e->x",
  }),
  fine(
    "const",
    "const member",
    "code may no longer write it, that is all",
    ["const char *name; int id;", "const char *const name; int id;"],
    {
      use: "*e->name + e->id",
    },
  ),
  fine("const", "pointer to const", "the same pointer", ["char *name; int id;", "const char *name; int id;"], {
    use: "*e->name + e->id",
  }),
  fine("const", "volatile member", "the same bytes", [BASE, "volatile int id; float hp; long gold;"]),
  fine("rename", "two members renamed", "offsets and types are the same", [BASE, "int key; float life; long gold;"], {
    use: [USE, "e->key + (int)e->life + (int)e->gold"],
  }),
  fine(
    "rename",
    "a nested type renamed",
    "its members are the same",
    ["struct In in; int id;", "struct Inner in; int id;"],
    {
      head: ["struct In { int x; short y; }; ", "struct Inner { int x; short y; }; "],
      use: "e->in.x + e->in.y + e->id",
    },
  ),
  fine(
    "rename",
    "a pointed-to type renamed",
    "its members are the same",
    ["struct In *in; int id;", "struct Inner *in; int id;"],
    {
      head: ["struct In { int x; short y; }; ", "struct Inner { int x; short y; }; "],
      use: "e->in->x + e->in->y + e->id",
    },
  ),
  fine(
    "rename",
    "an enum renamed",
    "its constants and its size are the same",
    ["enum Kind kind; int id;", "enum Sort kind; int id;"],
    {
      head: ["enum Kind { COLD, WARM }; ", "enum Sort { COLD, WARM }; "],
      use: "(e->kind == WARM) + e->id",
    },
  ),
  fine(
    "reserved",
    "two ints split",
    "the same two ints, each with a name",
    ["int id; int reserved[2];", "int id; int armour; int mana;"],
    {
      use: ["e->id + e->reserved[0] + e->reserved[1]", "e->id + e->armour + e->mana"],
    },
  ),
  fine(
    "reserved",
    "one of four taken",
    "the rest keep their places",
    ["int id; int reserved[4];", "int id; int armour; int reserved[3];"],
    {
      use: ["e->id + e->reserved[0]", "e->id + e->armour"],
    },
  ),
  fine("reserved", "one int taken", "the same int with a name", ["int id; int reserved;", "int id; int armour;"], {
    use: ["e->id + e->reserved", "e->id + e->armour"],
  }),
  fine("wrapping", "members in an anonymous struct", "they keep their places and names", [
    BASE,
    "struct { int id; float hp; }; long gold;",
  ]),
  fine("wrapping", "all in an anonymous struct", "they keep their places and names", [BASE, `struct { ${BASE} };`]),
  fine("wrapping", "a member in an anonymous union", "alone in a union, it keeps its place", [
    BASE,
    "union { int id; }; float hp; long gold;",
  ]),
  fine("wrapping", "an anonymous struct unwrapped", "they keep their places and names", [
    "struct { int id; float hp; }; long gold;",
    BASE,
  ]),
  fine(
    "wrapping",
    "members in a named struct",
    "they keep their places and types",
    [BASE, "struct Inner in; long gold;"],
    {
      head: ["", "struct Inner { int id; float hp; }; "],
      use: [USE, "e->in.id + (int)e->in.hp + (int)e->gold"],
    },
  ),
  fine("declaration", "members declared together", "the same two ints", ["int id; int hp;", "int id, hp;"], {
    use: "e->id + e->hp",
  }),
  fine(
    "declaration",
    "lines moved",
    "types are not where they are declared",
    ["int id; float hp;", "int id;\n\n\n float hp;"],
    {
      head: ["", "\n\n/* A comment. */\n\n"],
      use: "e->id + (int)e->hp",
    },
  ),
  fine(
    "declaration",
    "an array's length by name",
    "the same length",
    ["char name[16]; int id;", "char name[LENGTH]; int id;"],
    {
      head: ["", "enum { LENGTH = 16 }; "],
      use: "e->name[0] + e->id",
    },
  ),
  fine("unrelated", "another type added", "nothing leads there", [BASE, BASE], {
    head: ["", "struct Other { double d; struct Other *next; }; struct Other other; "],
  }),
  fine("unrelated", "another type edited", "nothing leads there", [BASE, BASE], {
    head: ["struct Other { int x; }; struct Other other; ", "struct Other { double x; int y; }; struct Other other; "],
  }),
  fine("unrelated", "a helper added", "only code has changed", [BASE, BASE], {
    head: ["", "static int twice(int x) { return 2 * x; } "],
    use: [USE, `twice(${USE})`],
  }),
  fine("unrelated", "a function's type edited", "nobody outside calls it", [BASE, BASE], {
    head: ["static int scale(int x) { return 2 * x; } ", "static double scale(double x, int y) { return x * y; } "],
    use: [`scale(${USE})`, `(int)scale(${USE}, 3)`],
  }),
  whole(
    "rename",
    "same",
    "the type renamed",
    "its members are the same",
    [`struct E { ${BASE} };`, `struct Entry { ${BASE} };`],
    ["struct E", "struct Entry"],
    USE,
    { renamed: true },
  ),
  whole(
    "alias",
    "same",
    "a typedef for the type",
    "a typedef is another name for it",
    [`struct E { ${BASE} };`, `struct E { ${BASE} }; typedef struct E Entry;`],
    ["struct E", "Entry"],
    USE,
    { renamed: true },
  ),
  whole(
    "alias",
    "same",
    "a typedef's struct gets a tag",
    "the struct is the same",
    [`typedef struct { ${BASE} } E;`, `typedef struct E { ${BASE} } E;`],
    ["E", "E"],
    USE,
    { renamed: true },
  ),
  whole(
    "alignment",
    "refuse",
    "the whole type packed",
    "without padding, the members lie elsewhere",
    ["struct E { char c; int id; short s; };", "struct __attribute__((packed)) E { char c; int id; short s; };"],
    undefined,
    "e->c + e->id + e->s",
  ),
  whole("alignment", "refuse", "the whole type aligned", "it has become larger, and so has each element of an array", [
    `struct E { ${BASE} };`,
    `struct __attribute__((aligned(64))) E { ${BASE} };`,
  ]),
  whole(
    "union",
    "refuse",
    "the whole type a union",
    "all members share one place",
    [`struct E { ${BASE} };`, `union E { ${BASE} };`],
    ["struct E", "union E"],
    USE,
    { renamed: true },
  ),
];
