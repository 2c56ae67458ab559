/** Numbers by which the cli and its partners tell that they are of one age. No zod: the agent carries them into the target. */

/** Of the agent. Raised whenever a request, an answer or an event changes its meaning. */
export const AGENT_PROTOCOL = 4;

/** Of cli/frida/bridge.py, which states the same number; raised with it. */
export const BRIDGE_PROTOCOL = 3;
