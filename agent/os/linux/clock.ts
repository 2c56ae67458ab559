/** A clock nobody can set: time limits must hold even if the target's clock is changed. */
import { native } from "../../target/native.js";

const clockGettime = native("clock_gettime", "int", ["int", "pointer"]);

const CLOCK_MONOTONIC = 1;
const time = Memory.alloc(16);

/** ms since some moment before the target started. */
export function now(): number {
  clockGettime(CLOCK_MONOTONIC, time);
  return time.readS64().toNumber() * 1000 + time.add(8).readS64().toNumber() / 1e6;
}
