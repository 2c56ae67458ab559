/**
 * The carrier: the thread of ours by which Frida came and will leave (cli/frida/bridge/carrier.py). It waits for an order;
 * should the tool be gone at the end, the agent gives it.
 */
import type { Carrier } from "../../../schemas/agent.js";

/** Source: cli/frida/bridge/carrier_code.py. */
const LEAVE = 2;

/** It is none of the host's threads. */
export function hideCarrier({ thread }: Carrier): void {
  Cloak.addThread(thread);
}

/** It looks at its order every ten seconds, or when it is woken: by then Frida has come to it for the last time. */
export function dismissCarrier({ order }: Carrier): void {
  ptr(order).writeU32(LEAVE);
}
