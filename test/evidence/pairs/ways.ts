/** Ways in which a marked function of C or C++ may reach a type `E`, and pairs of edits along them. */
import type { Edit, Side } from "./edits.js";
import { HEAD, type Language, type Pair, pairsOf, type Row, type Source } from "./pair.js";

/** A way to reach `E` from a marked function. */
export interface Way {
  readonly name: string;
  /** What a plain edit of the struct along it is an example of. */
  readonly cause: string;
  readonly around: (side: Side) => string | Source;
  /** Why no debug information shows what is at the end of it. */
  readonly hidden?: string;
  /** `E` itself lies there, so that it needs a size. */
  readonly whole?: boolean;
  /** Where the type's name is written: into the function's in C++, or into the variable's record. */
  readonly named?: "function" | "state";
}

/** Ways that C and C++ share. */
export const WAYS: readonly Way[] = [
  {
    name: "a pointer",
    cause: "struct member",
    named: "function",
    around: ({ declare, type, use }) => `${declare}\nHOTPATCH int f(${type} *e) { return ${use}; }`,
  },
  {
    name: "a pointer in a struct",
    cause: "pointer",
    around: ({ declare, type, use }) =>
      `${declare}\nstruct S { struct S *next; ${type} *in; };\nHOTPATCH int f(struct S *p) { ${type} *e = p->next->in; return ${use}; }`,
  },
  {
    name: "a member",
    cause: "nested",
    whole: true,
    around: ({ declare, type, use }) =>
      `${declare}\nstruct S { int n; ${type} in; int after; };\nHOTPATCH int f(struct S *p) { ${type} *e = &p->in; return ${use} + p->after; }`,
  },
  {
    name: "an array",
    cause: "array",
    whole: true,
    around: ({ declare, type, use }) =>
      `${declare}\nstruct S { int n; ${type} all[4]; };\nHOTPATCH int f(struct S *p) { ${type} *e = &p->all[2]; return ${use}; }`,
  },
  {
    name: "value",
    cause: "by value",
    whole: true,
    named: "function",
    around: ({ declare, type, use }) => `${declare}\nHOTPATCH int f(${type} v) { ${type} *e = &v; return ${use}; }`,
  },
  {
    name: "a result",
    cause: "result",
    whole: true,
    named: "function",
    around: ({ declare, type, use }) =>
      `${declare}\nstatic ${type} all[8];\nHOTPATCH ${type} *f(int n) { ${type} *e = all; return n == ${use} ? e : e + 1; }`,
  },
  {
    name: "a callback's result",
    cause: "function pointer",
    around: ({ declare, type, use }) =>
      `${declare}\nstruct S { ${type} *(*find)(int); };\nHOTPATCH int f(struct S *p) { ${type} *e = p->find(3); return ${use}; }`,
  },
  {
    name: "a typedef of a pointer",
    cause: "alias",
    named: "function",
    around: ({ declare, type, use }) =>
      `${declare}\ntypedef ${type} *handle;\nHOTPATCH int f(handle e) { return ${use}; }`,
  },
  {
    name: "a union",
    cause: "union",
    whole: true,
    around: ({ declare, type, use }) =>
      `${declare}\nunion U { ${type} in; char raw[128]; };\nHOTPATCH int f(union U *p) { ${type} *e = &p->in; return ${use}; }`,
  },
  {
    name: "state",
    cause: "state",
    whole: true,
    named: "state",
    around: ({ declare, type, use }) =>
      `${declare}\nHOTPATCH_STATE(${type}, world, {});\nHOTPATCH int f(void) { ${type} *e = &HOTPATCH_GET(world); return ${use}; }`,
  },
  {
    name: "state that points",
    cause: "state",
    named: "state",
    around: ({ declare, type, use }) =>
      `${declare}\nHOTPATCH_STATE(${type} *, world, 0);\nHOTPATCH int f(void) { ${type} *e = HOTPATCH_GET(world); return ${use}; }`,
  },
  {
    name: "a void pointer",
    cause: "void pointer",
    hidden: "a void pointer does not say where it leads",
    around: ({ declare, type, use }) =>
      `${declare}\nHOTPATCH int f(void *p) { ${type} *e = (${type} *)p; return ${use}; }`,
  },
  {
    name: "a void pointer in a struct",
    cause: "void pointer",
    hidden: "a void pointer does not say where it leads",
    around: ({ declare, type, use }) =>
      `${declare}\nstruct S { int n; void *user; };\nHOTPATCH int f(struct S *p) { ${type} *e = (${type} *)p->user; return ${use}; }`,
  },
  {
    name: "a byte buffer",
    cause: "byte buffer",
    whole: true,
    hidden: "bytes do not say what lies in them",
    around: ({ declare, type, use }) =>
      `${declare}\nstruct S { int n; unsigned char raw[128] __attribute__((aligned(64))); };\nHOTPATCH int f(struct S *p) { ${type} *e = (${type} *)(void *)p->raw; return ${use}; }`,
  },
  {
    name: "an opaque type of another unit",
    cause: "opaque type",
    whole: true,
    around: ({ declare, type, use }) => [
      "struct S; int look(struct S *p);\nHOTPATCH int f(struct S *p) { return look(p); }",
      `${declare}\nstruct S { int n; ${type} in; };\nint look(struct S *p);\nint look(struct S *p) { ${type} *e = &p->in; return ${use}; }`,
    ],
  },
  {
    name: "state that points to an opaque type",
    cause: "opaque type",
    whole: true,
    around: ({ declare, type, use }) => [
      "struct S; int look(struct S *p);\nHOTPATCH_STATE(struct S *, world, 0);\nHOTPATCH int f(void) { return look(HOTPATCH_GET(world)); }",
      `${declare}\nstruct S { int n; ${type} in; };\nint look(struct S *p);\nint look(struct S *p) { ${type} *e = &p->in; return ${use}; }`,
    ],
  },
];

/** In C, a function's name says nothing of its arguments. */
const fits = (language: Language, edit: Edit, way: Way): boolean =>
  !(edit.unsized === true && way.whole === true) &&
  !(edit.renamed === true && (way.named === "state" || (way.named === "function" && language === "C++")));

/** One edit along one way. */
function along(language: Language, edit: Edit, way: Way): Pair {
  const { what, cause, expect, why, old, new: now, compiler } = edit;
  const isHidden = expect === "refuse" && way.hidden !== undefined;
  const row: Row = {
    what: `${cause}, ${what}, by ${way.name}`,
    cause: isHidden || cause === "struct member" ? way.cause : cause,
    expect: isHidden ? "not-seen" : expect,
    why: isHidden ? `${why}; ${way.hidden}` : why,
    old: way.around(old),
    new: way.around(now),
    ...(compiler !== undefined && { compiler }),
  };
  const [pair] = pairsOf(language, HEAD, [row]);
  if (pair === undefined) throw new Error("a row gives a pair");
  return pair;
}

/** Every edit along every way. */
export const product = (language: Language, edits: readonly Edit[], ways: readonly Way[]): Pair[] =>
  edits.flatMap((edit) => ways.filter((way) => fits(language, edit, way)).map((way) => along(language, edit, way)));

/** Every edit along some ways, which take turns. */
export const turns = (language: Language, edits: readonly Edit[], ways: readonly Way[], count: number): Pair[] =>
  edits.flatMap((edit, i) => {
    const fitting = ways.filter((way) => fits(language, edit, way));
    const step = Math.max(1, Math.floor(fitting.length / count));
    const taken = Array.from(
      { length: Math.min(count, fitting.length) },
      (_, k) => fitting[(i + k * step) % fitting.length],
    );
    return [...new Set(taken)].flatMap((way) => (way === undefined ? [] : [along(language, edit, way)]));
  });
