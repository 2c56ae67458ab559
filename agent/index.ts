/** Wires the requests of schemas/agent.ts to the rpc exports. */
import type { AgentEvent, AgentExports, Carrier, Result } from "../schemas/agent.js";
import { pathAsItWas } from "../schemas/names.js";
import { AGENT_PROTOCOL } from "../schemas/protocol.js";
import { dismissCarrier, hideCarrier, OwnDescriptor, processLives } from "./os/index.js";
import { PatchedProcess } from "./process/patched-process.js";
import { fail, noRoom, ok } from "./process/result.js";
import { Registry } from "./registry/registry.js";

let patched: PatchedProcess | null = null;
/** The thread Frida came in through; null: one of the host's own. */
let came: Carrier | null = null;

/** Tells whether the host has closed the agent's descriptors. */
let witness: OwnDescriptor | null = null;

const say = (event: AgentEvent): void => send(event);

function current(): PatchedProcess {
  if (patched === null) throw new Error("begin comes first");
  return patched;
}

function orNoRoom<T>(make: () => Result<T>): Result<T> {
  try {
    return make();
  } catch (error) {
    return noRoom(error);
  }
}

/** Restores the host's own code, even if nobody is left to ask for it. */
function leave(): void {
  witness?.close();
  patched?.end(false);
  if (came !== null) dismissCarrier(came);
}

const methods: AgentExports = {
  begin({ protocol, owner, libraries, unmarked, stage, stopped, carrier }) {
    if (protocol !== AGENT_PROTOCOL)
      return fail("internal", `the agent speaks protocol ${AGENT_PROTOCOL}, the cli ${protocol}`);
    const opened = orNoRoom(() => ok(Registry.open()));
    if (!opened.ok) return opened;
    const registry = opened.value;
    if (typeof registry === "string") return fail("internal", registry);
    const holder = registry.owner;
    // A reused pid counts as alive: refusing is the safe choice.
    if (holder !== 0 && holder !== owner && processLives(holder))
      return fail("attach-busy", `the hotpatch session with pid ${holder} is attached to this process`);
    registry.owner = owner;
    if (carrier !== null) hideCarrier(carrier);
    came = carrier;
    witness = new OwnDescriptor();
    const begun = new PatchedProcess(registry, { names: libraries, unmarked }, stage, say, () => {
      if (witness?.closed === true) leave();
    });
    patched = begun;
    return orNoRoom(() =>
      ok({
        protocol: AGENT_PROTOCOL,
        libraries: begun.begin(stopped),
        host: pathAsItWas(Process.mainModule.path),
        marksInExecutable: begun.marksInExecutable,
      }),
    );
  },
  adopt: (request) => orNoRoom(() => current().adopt(request)),
  load: (request) => current().load(request),
  switchTo: (request) => current().switchTo(request),
  providers: ({ library, names }) => current().providers(library, names),
  state: ({ library }) => current().state(library),
  ranges: () => ok(current().ranges()),
  status: (request) => ok(current().status(request)),
  end({ keep }) {
    current().end(keep);
    return ok({ restored: !keep });
  },
};

rpc.exports = {
  ...methods,
  /** Frida calls this when the script is unloaded, even if the tool was killed: the host's own code is restored. */
  dispose() {
    leave();
  },
};
