/**
 * Owns building small libraries for the tests of cli/binary and cli/steps, in a directory that goes with the test.
 * Must not hold expectations: a test says what it expects.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";

/** The attributes of mark/include/hotpatch.h, as docs give them, so that these tests depend on bytes only. */
export const MARK = `
#define HP_VISIBILITY "default"
#if !defined __clang__
#define HP __attribute__((section("hotpatch"), noipa, used, visibility(HP_VISIBILITY), ms_hook_prologue, aligned(16)))
#else
#ifdef __CET__
#define HP_CET , nocf_check
#else
#define HP_CET
#endif
#define HP __attribute__((section("hotpatch"), noinline, weak, used, visibility(HP_VISIBILITY), \\
  patchable_function_entry(8, 0), aligned(16) HP_CET))
#endif
/* Not named hp_flag: an assembler takes a symbol of its section's name for the section (gcc 12, clang 14 refuse it). */
__attribute__((section("hp_flag"), used, aligned(16))) static volatile const unsigned char the_flag[16] = "HOTPATCH-FLAG1\\0";
`;

/** One of everything the readers look at. */
export const SAMPLE = `${MARK}
const int table[4] = {1, 2, 3, 4};
int counter = 7;
int big[64];
const int *const table_pointer = table;
int *counter_pointer = &counter;
__thread int per_thread = 3;
int helper(int x) { return x + table[x & 3]; }
int (*helper_pointer)(int) = helper;
__attribute__((weak)) int overridable(void) { return 1; }
static int hidden_static(int x) { return x * 3; }
int (*const static_pointer)(int) = hidden_static;
HP int marked(int x);
HP int marked(int x) { return helper(x) + counter + overridable(); }
HP int marked_too(void);
HP int marked_too(void) { return the_flag[15]; }
__asm__(".pushsection .text\\n.globl bare_label\\nbare_label:\\n ret\\n.popsection\\n");
extern void bare_label(void);
void call_bare(void) { bare_label(); }
`;

/** How a record is changed: its version, what a caller relies on, and where it says it is from. */
export interface Recorded {
  readonly version?: string;
  readonly name?: string;
  readonly signature?: string;
  readonly hash?: number;
  readonly entry?: string;
}

/**
 * A function `value` with its record and that of the type it takes, by hand as docs/marks.md has them. The function has no
 * symbol of its own name in the marked section: `entry` is a local label.
 */
export function recorded(body: string, change: Recorded = {}): string {
  const { version = "1", name = "game::value", signature = "fn(&Rule) -> i32", hash = 7, entry = "entry" } = change;
  const assembly = `
    .pushsection hotpatch,"ax",@progbits
    .p2align 4
    entry: .byte 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0
    jmp body@PLT
    .popsection
    .globl value
    .type value,@function
    value: jmp entry
    .size value, .-value
    .pushsection hp_marks,"aw",@progbits
    .balign 8
    .quad 0                                    # padding
    .ascii "HPMARKS${version}"
    .long 48 + 2 * 24, 2
    .quad ${entry}, name, signature, place
    .quad 8, 8, ${hash}                        # the argument
    .quad 4, 4, 0                              # the result
    .popsection
    .pushsection hp_types,"aw",@progbits
    .balign 8
    .ascii "HPTYPES1"
    .long 40 + 32, 1
    .quad 4, 4, type
    .quad 0, 4, field, field_type
    .popsection
    .pushsection .rodata
    name: .asciz "${name}"
    signature: .asciz "${signature}"
    place: .asciz "src/game.rs:12"
    type: .asciz "game::Rule"
    field: .asciz "factor"
    field_type: .asciz "${hash === 7 ? "i32" : "f32"}"
    .popsection
  `;
  return `int body(int x) { return ${body}; }\n__asm__(${JSON.stringify(assembly)});\n`;
}

/** A temporary directory, removed when the test ends. */
export async function workFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "hotpatch-test-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a program of the toolchain and returns what it printed; its complaint is the test's failure. */
export function run(program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): string {
  const env = { ...process.env, LC_ALL: "C", ...environment };
  return execFileSync(program, args, { encoding: "utf8", env, maxBuffer: 2 ** 27, stdio: ["ignore", "pipe", "pipe"] });
}

/** Is this tool there? clang and lld are optional for a developer. */
export function has(program: string): boolean {
  try {
    run(program, ["--version"]);
    return true;
  } catch {
    return false;
  }
}

/** Builds one C file into a shared library (or, with `-o NAME` flags of its own, anything) and returns its path. */
export async function build(
  folder: string,
  name: string,
  source: string,
  flags: readonly string[] = [],
  compiler = "gcc",
): Promise<string> {
  const input = join(folder, `${name}.c`);
  const output = join(folder, name);
  await writeFile(input, source);
  run(compiler, ["-fPIC", "-shared", "-O1", "-w", "-o", output, input, ...flags]);
  return output;
}
