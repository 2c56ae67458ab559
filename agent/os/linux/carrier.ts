/**
 * The carrier: our own thread, through which Frida entered and will leave (cli/frida/bridge/carrier.py). It waits for an
 * order to leave, which the agent gives if the tool is gone by then.
 */
import type { Carrier } from "../../../schemas/agent.js";

/** Source: cli/frida/bridge/carrier_code.py. */
const LEAVE = 2;

/** Hides it from Frida's view: it is not one of the host's threads. */
export function hideCarrier({ thread }: Carrier): void {
  Cloak.addThread(thread);
}

/** It checks its order every ten seconds, or when woken: by then Frida has used it for the last time. */
export function dismissCarrier({ order }: Carrier): void {
  ptr(order).writeU32(LEAVE);
}
