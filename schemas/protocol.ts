/** Protocol versions of the cli's peers. No zod: the agent carries this file into the target. */

<<<<<<< HEAD
/** The agent's. Raised whenever a request, an answer or an event changes its meaning. */
export const AGENT_PROTOCOL = 4;
=======
/** Of the agent. Raised whenever a request, an answer or an event changes its meaning. */
export const AGENT_PROTOCOL = 5;
>>>>>>> e1d2889 (schemas: Drop the architecture from the agent's first answer)

/** That of cli/frida/bridge/bridge.py, which states the same number. */
export const BRIDGE_PROTOCOL = 3;
