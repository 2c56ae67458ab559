/** `hotpatch diff` on libraries of real compilers, as an outside program runs it. */
import { spawnSync } from "node:child_process";
import test, { type ExecutionContext } from "ava";
import { DiffReport } from "../../../schemas/diff-report.js";
import { CLI } from "../../support/tool.js";
import { Workshop } from "../../support/workshop.js";
import { has } from "../binary/fixtures.js";

const run = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, "diff", ...args], {
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, stdout, stderr };
};

async function both(
  t: ExecutionContext,
  before: string,
  after: string,
  args: readonly string[] = [],
  compiler?: string,
) {
  const shop = new Workshop(t);
  const paths = [
    await shop.library("old.so", `#include "hotpatch.h"\n${before}`, args, compiler),
    await shop.library("new.so", `#include "hotpatch.h"\n${after}`, args, compiler),
  ];
  const json = run("--json", ...paths);
  t.is(json.stderr, "");
  return { paths, status: json.status, report: DiffReport.parse(JSON.parse(json.stdout)), text: run(...paths).stdout };
}

const struct = (fields: string) =>
  `struct inner { ${fields} };\nHOTPATCH int damage(struct inner *p) { return p->hp; }`;

test("a changed struct is refused with exit code 6, and every function is told", async (t) => {
  const { status, report, text } = await both(
    t,
    `${struct("int id, hp;")}\nHOTPATCH int same(int x) { return x; }\nHOTPATCH int edited(int x) { return x; }\nHOTPATCH int gone(int x) { return x; }`,
    `${struct("long id; int hp;")}\nHOTPATCH int same(int x) { return x; }\nHOTPATCH int edited(int x) { return x * 2; }\nHOTPATCH int added(int x) { return x; }`,
  );
  t.is(status, 6);
  t.is(report.refused?.code, "layout-changed");
  t.regex(
    report.refused?.detail ?? "",
    /^damage: struct inner: size 8 -> 16; field id: int at 0 -> long int at 0; field hp: int at 4 -> int at 8$/,
  );
  const told = report.functions.map(({ name, status, check }) => `${name} ${status} ${check}`).sort();
  t.deepEqual(told, [
    "added new unchecked",
    "damage refused dwarf",
    "edited switched dwarf",
    "gone missing unchecked",
    "same unchanged dwarf",
  ]);
  t.regex(text, /REFUSED \[layout-changed\]/);
  t.regex(
    text,
    / {2}refused {4}damage {2}\(dwarf\)\n {13}struct inner: size 8 -> 16\n {13}field id: int at 0 -> long int at 0\n/,
  );
});

test("an edited body is switched with exit code 0", async (t) => {
  const body = (n: number) => `HOTPATCH int damage(int x) { return x * ${n}; }`;
  const { status, report, text } = await both(t, body(2), body(3));
  t.is(status, 0);
  t.is(report.refused, null);
  t.regex(text, /: can be switched\n/);
});

test("a changed signature is told as such, and C++ names as people write them", async (t) => {
  const cpp = (type: string) => `namespace game { struct Foe { ${type} hp; HOTPATCH int hit(int n); }; }
    int game::Foe::hit(int n) { return (int)hp - n; }
    extern "C" HOTPATCH ${type} plain(int x) { return x; }`;
  const { status, report } = await both(t, cpp("int"), cpp("float"), [], "g++");
  t.is(status, 6);
  t.is(report.refused?.code, "signature-changed");
  const hit = report.functions.find(({ demangled }) => demangled === "game::Foe::hit(int)");
  t.is(hit?.reason, "struct game::Foe: field hp: int at 0 -> float at 0");
});

test("changed state is refused, and so is what it leads to", async (t) => {
  const state = (type: string) => `struct node { ${type} v; }; HOTPATCH_STATE(struct node *, first, 0);
    HOTPATCH_STATE(${type}, score, 1); HOTPATCH int f(int x) { return x; }`;
  const { status, report } = await both(t, state("int"), state("long"));
  t.is(status, 6);
  t.is(report.refused?.code, "layout-changed");
  const [first, score] = ["first", "score"].map((name) => report.state.find((one) => one.name === name));
  t.deepEqual(first, {
    name: "first",
    status: "changed",
    changes: ["state first: struct node: size 4 -> 8; field v: int at 0 -> long int at 0"],
    check: "dwarf",
  });
  t.is(score?.status, "changed");
  t.regex(score?.changes.join("\n") ?? "", /type int -> long, size 4 -> 8/);
});

test("libraries without debug information are unchecked, and C++ ones by their names", async (t) => {
  const code = (n: number) => `HOTPATCH int damage(int x) { return x * ${n}; }`;
  const { status, report } = await both(t, code(1), code(2), ["-s"], "g++");
  t.is(status, 0);
  t.deepEqual(
    report.functions.map(({ check, reason }) => [check, reason]),
    [["mangled", "the running build: it has no debug information: build with -g"]],
  );
});

test("an exported variable of another size is a note: it depends on the host", async (t) => {
  const code = (n: number) => `int arr[${n}]; HOTPATCH int f(int x) { return arr[x]; }`;
  const { status, report } = await both(t, code(4), code(8));
  t.is(status, 0);
  t.regex(report.notes.join("\n"), /exported variable arr: size 16 -> 32: refused if the host links/);
});

test("a file that is not there, or is no library, is exit code 3", async (t) => {
  const shop = new Workshop(t);
  const good = await shop.library("good.so", '#include "hotpatch.h"\nHOTPATCH int f(int x) { return x; }');
  const missing = run(good, shop.path("nothing.so"));
  t.is(missing.status, 3);
  t.regex(missing.stderr, /\[library-not-found\]/);
  const text = run(shop.write("text.so", "this is no library\n".repeat(40)), good);
  t.is(text.status, 3);
  t.regex(text.stderr, /\[artifact-invalid\]/);
  t.is(run(good).status, 2);
});

const REACHES = (
  item: string,
  body: string,
) => `struct item { ${item} }; struct node { void *data; struct node *next; };
  HOTPATCH int look(struct node *p) { struct item *it = p->data; return ${body}; }
  HOTPATCH int rest(struct node *p) { return p != 0; }
  HOTPATCH int twice(int x) { return 2 * x; }`;

test("what a void pointer leads to counts where a type of the file has changed, and only there", async (t) => {
  const checks = async (after: string) => {
    const { status, report } = await both(t, REACHES("int a, b;", "it->a"), after);
    t.is(status, 0);
    return report.functions.map(({ name, check, reason }) => [name, check, reason ?? ""]);
  };
  t.deepEqual(await checks(REACHES("int a, b;", "it->a + it->b")), [
    ["look", "dwarf", ""],
    ["rest", "dwarf", ""],
    ["twice", "dwarf", ""],
  ]);
  const reason = "struct item changed, and void * (field data) of struct node may lead there";
  t.deepEqual(await checks(REACHES("int b, a;", "it->a")), [
    ["look", "partly", reason],
    ["rest", "partly", reason],
    ["twice", "dwarf", ""],
  ]);
});

test("a function whose code changed beside a type may use it by a call or a variable", async (t) => {
  const code = (item: string, n: number) => `struct item { ${item} }; extern struct item *found(void);
    struct item *found(void) { return 0; }
    HOTPATCH int use(void) { return found()->a; }
    HOTPATCH int alone(int x) { return x + ${n}; }`;
  const { report } = await both(t, code("int a, b;", 1), code("int b, a;", 2));
  t.deepEqual(
    report.functions.map(({ name, check, reason }) => [name, check, reason]),
    [
      ["use", "partly", "struct item changed, and a variable or a call may lead there"],
      ["alone", "dwarf", undefined],
    ],
  );
});

for (const [compiler, cure] of [
  ["g++", "-femit-class-debug-always"],
  ["clang++", "-fstandalone-debug"],
] as const)
  (has(compiler) ? test : test.skip)(
    `a class that ${compiler} describes elsewhere is not seen, by functions and by state, and the cure is one`,
    async (t) => {
      const code = (fields: string) => `struct World { virtual int a(); World(int); ${fields} };
        HOTPATCH_STATE(World *, world, nullptr);
        extern "C" HOTPATCH int look(World *p) { return p->x; }`;
      const { status, report } = await both(t, code("int x, y;"), code("int y, x;"), [], compiler);
      t.is(status, 0);
      const reason = `World is only declared here: build with ${cure}`;
      t.deepEqual([report.functions[0]?.check, report.functions[0]?.reason], ["partly", reason]);
      t.deepEqual(
        [report.state[0]?.status, report.state[0]?.check, report.state[0]?.reason],
        ["kept", "partly", `${reason}`],
      );
      const cured = await both(t, code("int x, y;"), code("int y, x;"), [cure], compiler);
      t.is(cured.report.refused?.code, "layout-changed");
    },
  );

test("a change that reaches many functions is told once, most used first, and all of it under -v", async (t) => {
  const code = (item: string, near: string) => `struct item { ${item} }; struct near { ${near} struct item *items; };
    ${Array.from({ length: 60 }, (_, i) => `HOTPATCH int deep${i}(struct item *p) { return p->a + ${i}; }`).join("\n")}
    HOTPATCH int both(struct near *p) { return p->n; }`;
  const { paths, report, text } = await both(t, code("int a;", "int n;"), code("int b, a;", "long n;"));
  t.deepEqual(
    report.changes.map(({ change, functions }) => [change.slice(0, 11), functions.length]),
    [
      ["struct item", 61],
      ["struct near", 1],
    ],
  );
  const lines = text.trim().split("\n");
  t.true(lines.length < 24, `${lines.length} lines`);
  t.is(lines.filter((line) => line.includes("struct item: ")).length, 1);
  t.regex(text, /reaches 61 functions: deep0, deep1, deep2, \.\.\./);
  const whole = run("-v", ...paths).stdout;
  for (let i = 0; i < 60; i++) t.regex(whole, new RegExp(`refused {4}deep${i} `));
});

const classes = (sub: string, bodies = "") => `
  struct Shape { virtual ~Shape() {} virtual int area(int x); };
  struct Named { virtual int length() { return 4; } };
  struct Square : Shape, Named { int side = 2; ${sub} HOTPATCH int grow(); };
  HOTPATCH int Shape::area(int x) { return x; }
  HOTPATCH int Square::grow() { return ++side; }
  ${bodies}
  extern "C" HOTPATCH Shape *make() { return new Square; }`;

for (const compiler of ["g++", "clang++"])
  (has(compiler) ? test : test.skip)(
    `a new override: what objects that exist already keep calling is told (${compiler})`,
    async (t) => {
      const reasons = async (before: string, after: string) => {
        const { report } = await both(t, before, after, ["-O1"], compiler);
        return report.functions.flatMap(({ name, status, reason }) =>
          status === "new" ? [`${name}: ${reason ?? "nothing"}`] : [],
        );
      };
      const override = classes(
        "HOTPATCH int area(int x) override;",
        "HOTPATCH int Square::area(int x) { return x * 5; }",
      );
      t.deepEqual(await reasons(classes(""), override), [
        "_ZN6Square4areaEi: objects that exist already keep calling Shape::area(int)",
      ]);
      // A function that is no override, and one of a class that no object can have.
      t.deepEqual(await reasons(classes(""), classes("", 'extern "C" HOTPATCH int more() { return 1; }')), [
        "more: nothing",
      ]);
      t.deepEqual(
        await reasons("HOTPATCH int nothing() { return 1; }", override).then((all) =>
          all.filter((one) => !one.endsWith(": nothing")),
        ),
        [],
      );
    },
  );

test("-f judges functions without marks, whether or not a session could patch them", async (t) => {
  const code = (
    item: string,
  ) => `struct item { ${item} }; int plain(struct item *p); int plain(struct item *p) { return p->a; }
    static int inner(struct item *p) { return p->a; } int other(int x); int other(int x) { return x + inner(0); }`;
  const shop = new Workshop(t);
  const paths = [
    await shop.library("old.so", code("int a;"), ["-O0"]),
    await shop.library("new.so", code("long a;"), ["-O0"]),
  ];
  t.is(run(...paths).status, 3, "nothing in it is marked");
  const { status, stdout } = run("--json", "-f", "plain", "-f", "inn*", ...paths);
  t.is(status, 6);
  const report = DiffReport.parse(JSON.parse(stdout));
  t.deepEqual(report.functions.map(({ name, status, check }) => [name, status, check]).sort(), [
    ["inner", "refused", "dwarf"],
    ["plain", "refused", "dwarf"],
  ]);
});

test("a variable that the loader shares among all copies lives on, so its type counts as state's does", async (t) => {
  const code = (fields: string) => `struct W { ${fields} };
    namespace game { inline W world{1, 2}; template <class T> struct Pool { static T *head; static int n; }; }
    template <class T> T *game::Pool<T>::head = nullptr;
    template <class T> int game::Pool<T>::n = 0;
    extern "C" HOTPATCH int f(int x) { game::Pool<W>::head = &game::world; return x + game::Pool<W>::n; }`;
  const same = await both(t, code("int a, b;"), code("int a, b;"), ["-std=c++17"], "g++");
  t.is(same.status, 0);
  t.deepEqual(same.report.state.map(({ name, status, check }) => `${name} ${status} ${check}`).sort(), [
    "game::Pool<W>::head kept dwarf",
    "game::Pool<W>::n kept dwarf",
    "game::world kept dwarf",
  ]);
  const { status, report } = await both(t, code("int a, b;"), code("int b, a;"), ["-std=c++17"], "g++");
  t.is(status, 6);
  t.deepEqual(report.state.map(({ name, status }) => `${name} ${status}`).sort(), [
    "game::Pool<W>::head changed",
    "game::Pool<W>::n kept",
    "game::world changed",
  ]);
  t.regex(report.refused?.detail ?? "", /variable game::world: struct W: field a: int at 0 -> int at 4/);
  const grown = await both(t, code("int a, b;"), code("int a, b, c;"), ["-std=c++17"], "g++");
  t.regex(grown.report.refused?.detail ?? "", /exported variable game::world: size 8 -> 12/);
  t.deepEqual(grown.report.notes, []);
});

const LOOP = "#include <stdlib.h>\n#include <stdio.h>\nstruct loop { void *priv; };";

test("a type that a file did not use before is looked for in the whole running build", async (t) => {
  const rest =
    "HOTPATCH int start(struct loop *l) { struct internal *i = calloc(1, sizeof *i); l->priv = i; return 0; }";
  const shop = new Workshop(t);
  const make = async (name: string, internal: string, run: string) => {
    const header = `#include "hotpatch.h"\n${LOOP}\nstruct internal { ${internal} };`;
    const core = shop.write("core.c", `${header}\nHOTPATCH int run(struct loop *l) { ${run} }`);
    return shop.library(name, `${header}\n${rest}`, [core]);
  };
  const paths = [
    await make("old.so", "int count;", "return l->priv != 0;"),
    await make("new.so", "int count; long ring[8];", "struct internal *i = l->priv; i->ring[7]++; return i->count;"),
  ];
  const report = DiffReport.parse(JSON.parse(run("--json", ...paths).stdout));
  t.deepEqual(report.functions.map(({ name, check }) => `${name} ${check}`).sort(), ["run partly", "start partly"]);
});

for (const order of [
  ["linux.c", "epoll.c"],
  ["epoll.c", "linux.c"],
])
  test(`a file that unites several old ones is compared with each of them (${order.join(", ")})`, async (t) => {
    const shop = new Workshop(t);
    const make = async (name: string, internal: string, linux: string, epoll: string) => {
      const header = `#include "hotpatch.h"\n${LOOP}\nstruct internal { ${internal} };`;
      shop.write("linux.c", `${header}\n${linux}`);
      shop.write("epoll.c", `${header}\n${epoll}`);
      return shop.library(name, "", ["-x", "c", ...order.map((file) => shop.path(file))]);
    };
    const other = (n: number) => `HOTPATCH int other(int x) { return puts("n") + ${n} * x; }`;
    const poll = (more: string) =>
      `HOTPATCH int poll(struct loop *l) { struct internal *i = l->priv; return ++i->count${more}; }`;
    const paths = [
      await make("old.so", "int count;", other(1), poll("")),
      await make("new.so", "int count; long ring[8];", `${other(7)}\n${poll(" + (int)i->ring[7]++")}`, ""),
    ];
    const report = DiffReport.parse(JSON.parse(run("--json", ...paths).stdout));
    t.is(report.functions.find(({ name }) => name === "poll")?.check, "partly");
  });

test("a clone's arguments are those that its function was declared with", async (t) => {
  const code = (attribute: string) => `struct v { float x, y; };
    static ${attribute} float weight(const struct v *p, const float *a, int n) { return p->x * a[0] + p->y * a[n]; }
    float both(struct v *p, float *a, int n);
    float both(struct v *p, float *a, int n) { return weight(p, a, n) + weight(p + 1, a, n) + weight(p + 2, a + 1, n); }`;
  const shop = new Workshop(t);
  const paths = [
    await shop.library("old.so", code("__attribute__((noinline))"), ["-O2"], "gcc"),
    await shop.library("new.so", code("__attribute__((noinline, noipa))"), ["-O2"], "gcc"),
  ];
  const { status, stdout } = run("--json", "-f", "weight", ...paths);
  t.is(status, 0, stdout);
});

test("members of a union are matched by their types, and a result that is gone is told once", async (t) => {
  const union = (members: string) => `union value { ${members} }; HOTPATCH int take(union value *v) { return v != 0; }`;
  const same = await both(t, union("int yy1; char *yy2; double yy3;"), union("double yy4; char *yy5; int yy6;"));
  t.is(same.status, 0);
  const cpp = (result: string, value: string) =>
    `struct Status { int code; ~Status() {} }; extern "C" HOTPATCH ${result} compact(int x) { ${value} }`;
  const { report } = await both(t, cpp("Status", "return {x};"), cpp("void", "(void)x;"), [], "g++");
  t.is(report.refused?.detail, "compact: signature: Status (int) -> void (int)");
});

test("gcc's option that describes every class is believed", async (t) => {
  const code = (n: number) => `class Cache { public: int size(); struct Rep; Rep *rep; int n; };
    int Cache::size() { return n; }
    extern "C" HOTPATCH int look(Cache *c) { return c->size() + ${n}; }`;
  const check = async (...flags: string[]) =>
    (await both(t, code(1), code(2), flags, "g++")).report.functions.map((one) => one.check);
  t.deepEqual(await check(), ["partly"]);
  t.deepEqual(await check("-femit-class-debug-always"), ["dwarf"]);
});

test("a function whose code another one's stands for is judged by its own description", async (t) => {
  const code = (fields: string) => `#include <string.h>
    struct a { int id, hp; }; struct b { ${fields} };
    void a_clear(struct a *p); void a_clear(struct a *p) { memset(p, 0, sizeof *p); }
    void b_clear(struct b *p); void b_clear(struct b *p) { memset(p, 0, sizeof *p); }`;
  const shop = new Workshop(t);
  const paths = [
    await shop.library("old.so", code("int id, hp;"), ["-O2"], "gcc"),
    await shop.library("new.so", code("int id, hp, armour;"), ["-O2"], "gcc"),
  ];
  const report = DiffReport.parse(JSON.parse(run("--json", "-f", "*_clear", ...paths).stdout));
  t.deepEqual(report.functions.map(({ name, status, check }) => `${name} ${status} ${check}`).sort(), [
    "a_clear unchanged dwarf",
    "b_clear refused dwarf",
  ]);
});

test("what is behind a folded function's pointers counts as well", async (t) => {
  const code = (item: string) => `struct item { ${item} }; struct a { void *p; long n; }; struct b { void *q; long n; };
    int use(struct item *i); int use(struct item *i) { return i->x; }
    long a_get(struct a *s); long a_get(struct a *s) { return ((struct item *)s->p)->x + s->n; }
    long b_get(struct b *s); long b_get(struct b *s) { return ((struct item *)s->q)->x + s->n; }`;
  const shop = new Workshop(t);
  const paths = [
    await shop.library("old.so", code("int x;"), ["-O2"], "gcc"),
    await shop.library("new.so", code("int y, x;"), ["-O2"], "gcc"),
  ];
  const report = DiffReport.parse(JSON.parse(run("--json", "-f", "*_get", ...paths).stdout));
  t.deepEqual(report.functions.map(({ name, check }) => `${name} ${check}`).sort(), ["a_get partly", "b_get partly"]);
});
