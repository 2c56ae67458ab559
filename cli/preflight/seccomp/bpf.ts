/**
 * Evaluates a seccomp filter: classic BPF as the kernel runs it on one system call. Pure.
 * Source: kernel Documentation/networking/filter.rst; include/uapi/linux/{bpf_common,filter,seccomp}.h.
 */

/** A system call as a filter sees it. */
export interface SystemCall {
  readonly nr: number;
  /** Up to six; those that are absent are 0. */
  readonly args: readonly bigint[];
}

/**
 * What the kernel does with a call: kill the process, return an error, or execute it, perhaps after asking a
 * supervisor.
 */
export type Answer = "kill" | "error" | "allow";

// The upper half of a filter's return value. Of several filters, the smallest (signed) wins.
const ACTION = 0xffff0000;
const SECCOMP_RET_ERRNO = 0x00050000;
const SECCOMP_RET_USER_NOTIF = 0x7fc00000;
const SECCOMP_RET_TRACE = 0x7ff00000;
const SECCOMP_RET_LOG = 0x7ffc0000;
const SECCOMP_RET_ALLOW = 0x7fff0000;

const AUDIT_ARCH_X86_64 = 0xc000003e;
/** sizeof(struct sock_filter): u16 code, u8 jt, u8 jf, u32 k. */
const INSTRUCTION = 8;
/** sizeof(struct seccomp_data): nr, arch, instruction pointer, six arguments. */
const DATA = 64;
const SCRATCH = 16;

// The three low bits of a code are its class; the others depend on it.
const LD = 0;
const LDX = 1;
const ST = 2;
const STX = 3;
const ALU = 4;
const JMP = 5;
const RET = 6;
const MISC = 7;

/** What the kernel does with `call` under all of a process's filters. */
export function answer(filters: readonly Buffer[], call: SystemCall): Answer {
  const data = dataOf(call);
  const actions = filters.map((filter) => (run(filter, data) & ACTION) | 0);
  switch (Math.min(SECCOMP_RET_ALLOW, ...actions)) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_USER_NOTIF:
      return "allow";
    case SECCOMP_RET_ERRNO:
      return "error";
    default:
      return "kill"; // KILL_PROCESS, KILL_THREAD, TRAP (SIGSYS), and unknown actions
  }
}

function dataOf({ nr, args }: SystemCall): Buffer {
  const data = Buffer.alloc(DATA);
  data.writeInt32LE(nr, 0);
  data.writeUInt32LE(AUDIT_ARCH_X86_64, 4);
  args.forEach((arg, i) => {
    data.writeBigUInt64LE(arg, 16 + 8 * i);
  });
  return data;
}

/** Jumps only go forward, so this terminates. @throws RangeError for what the kernel would have rejected */
function run(filter: Buffer, data: Buffer): number {
  const memory = new Uint32Array(SCRATCH);
  let a = 0;
  let x = 0;
  for (let at = 0; ; at += INSTRUCTION) {
    const code = filter.readUInt16LE(at);
    const k = filter.readUInt32LE(at + 4);
    const operand = (code & 0x08) === 0 ? k : x; // BPF_K, BPF_X
    switch (code & 7) {
      case LD:
        a = loaded(code, k, data, memory);
        break;
      case LDX:
        x = loaded(code, k, data, memory);
        break;
      case ST:
        memory[k] = a;
        break;
      case STX:
        memory[k] = x;
        break;
      case ALU:
        a = computed(code & 0xf0, a, operand);
        break;
      case JMP:
        at += INSTRUCTION * passed(filter, at, a, operand);
        break;
      case RET:
        return (code & 0x18) === 0x10 ? a : k; // BPF_A, else BPF_K
      case MISC:
        if ((code & 0xf8) === 0x80)
          a = x; // TXA
        else x = a; // TAX
        break;
    }
  }
}

/** Modes: absolute 0x20, length 0x80, scratch memory 0x60, immediate 0. */
function loaded(code: number, k: number, data: Buffer, memory: Uint32Array): number {
  switch (code & 0xe0) {
    case 0x20:
      return data.readUInt32LE(k);
    case 0x80:
      return DATA;
    case 0x60:
      return memory[k] ?? 0;
    default:
      return k;
  }
}

/** How many instructions the jump at `at` passes: BPF_JA always k, the others jt or jf. */
function passed(filter: Buffer, at: number, a: number, operand: number): number {
  const condition = filter.readUInt16LE(at) & 0xf0;
  if (condition === 0) return filter.readUInt32LE(at + 4);
  return filter.readUInt8(at + (holds(condition, a, operand) ? 2 : 3));
}

function computed(operation: number, a: number, operand: number): number {
  switch (operation) {
    case 0x00:
      return (a + operand) >>> 0;
    case 0x10:
      return (a - operand) >>> 0;
    case 0x20:
      return Math.imul(a, operand) >>> 0;
    case 0x30:
      return operand === 0 ? 0 : Math.floor(a / operand);
    case 0x40:
      return (a | operand) >>> 0;
    case 0x50:
      return (a & operand) >>> 0;
    case 0x60:
      return operand > 31 ? 0 : (a << operand) >>> 0;
    case 0x70:
      return operand > 31 ? 0 : a >>> operand;
    case 0x80:
      return -a >>> 0;
    case 0xa0:
      return (a ^ operand) >>> 0;
    default:
      throw new RangeError(`no such arithmetic in a filter: ${operation}`);
  }
}

function holds(condition: number, a: number, operand: number): boolean {
  switch (condition) {
    case 0x10:
      return a === operand;
    case 0x20:
      return a > operand;
    case 0x30:
      return a >= operand;
    case 0x40:
      return (a & operand) !== 0;
    default:
      throw new RangeError(`no such jump in a filter: ${condition}`);
  }
}
