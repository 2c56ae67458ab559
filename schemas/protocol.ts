/** Protocol versions of the cli's peers. No zod: the agent carries this file into the target. */

/** The agent's. Raised whenever a request, an answer or an event changes its meaning. */
export const AGENT_PROTOCOL = 7;

/** That of cli/frida/bridge/bridge.py, which states the same number. */
export const BRIDGE_PROTOCOL = 3;
