/**
 * ava's test, for tests that run tools, hosts and compilers: at most some of a file's tests run at a time. All at once, as ava
 * has it, thirty sessions share two cores, and the slowest waits longer than any limit.
 */
import { availableParallelism } from "node:os";
import ava, { type ExecutionContext } from "ava";

/** Of one file; ava runs two files at a time. Most of a test's time is waiting. */
const AT_ONCE = availableParallelism() + 1;

let running = 0;
const waiting: (() => void)[] = [];

async function gated(run: () => unknown): Promise<void> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    await run();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

type Implementation = (t: ExecutionContext) => unknown;
/** Declares a test. */
export type Declare = (title: string, implementation: Implementation) => void;

const among: Declare = (title, implementation) => ava(title, (t) => gated(() => implementation(t)));

/** `serial` ones come before the others of their file, one at a time. */
const test: Declare & { readonly serial: Declare; readonly skip: Declare } = Object.assign(among, {
  serial: (title: string, implementation: Implementation) => ava.serial(title, implementation),
  skip: (title: string, implementation: Implementation) => ava.skip(title, implementation),
});

export default test;
