/**
 * The protocol between the cli and the agent. The agent imports only the types: zod inside the target would cost 16-44
 * ms per load, and its only peer is checked by `protocol` in the first call.
 */
import { z } from "zod";
import { Address, Generation, SymbolName } from "./ids.js";

/** A function, marked or selected by --functions, that cannot be patched or whose records cannot be read, and why. */
export const RefusedMark = z.object({
  name: SymbolName,
  code: z.enum(["entry-too-small", "ambiguous-name", "unknown-version", "entry-unsafe", "untrusted-build"]),
  reason: z.string(),
  /** What to do, if the code alone does not say. */
  cure: z.string().optional(),
});
export type RefusedMark = z.infer<typeof RefusedMark>;

/**
 * An unmarked function that the cli has selected from the file. Its entry is not a single instruction, so the agent
 * checks the code again in memory. Addresses are relative to the load base.
 */
export const UnmarkedFunction = z.object({
  name: SymbolName,
  offset: z.number(),
  /** Where the 5-byte jump goes: its start, or after its endbr64. */
  jump: z.number(),
  /** Its first bytes in the file, as hex. */
  head: z.string(),
  /** Bytes that look like a branch into the jump, in the code of a function that begins at `start`. */
  suspects: z.array(z.object({ start: z.number(), at: z.number() })),
  /** Why no jump fits there; null if one does. Only a copy's function can have a reason: it is switched to as it is. */
  plain: z.string().nullable(),
});
export type UnmarkedFunction = z.infer<typeof UnmarkedFunction>;

/** A copy that runs or ran in the target, as recorded in the registry. */
const KnownGeneration = z.object({
  generation: Generation,
  path: z.string(),
  buildId: z.string().nullable(),
  /** sha256 of the artifact the copy was made from; null for generation 0. */
  hash: z.string().nullable(),
  /** Number of functions in the copy. */
  functions: z.number(),
});

/** A module with marks whose entries have been adopted. */
export const FoundLibrary = z.object({
  /** File name; the whole path if two loaded libraries share a file name. The id in all requests. */
  library: z.string(),
  path: z.string(),
  /** The absolute path by which the host opened it, if known: a link may lie between it and `path`. */
  openedAs: z.string().nullable(),
  base: Address,
  size: z.number(),
  /** The file that backs it instead of `path`, which its build writes; null if it is mapped from `path`. */
  staged: z.string().nullable(),
  /** Why it was not staged although that was requested. */
  unstaged: z.string().nullable(),
  /** The running generation: 0, or what an earlier session kept. */
  running: Generation,
  generations: z.array(KnownGeneration),
  functions: z.array(z.object({ name: SymbolName, generation: Generation })),
  /** Those of `functions` without a mark in generation 0. */
  unmarked: z.array(SymbolName),
  refused: z.array(RefusedMark),
});
export type FoundLibrary = z.infer<typeof FoundLibrary>;

export const AgentFailure = z.object({
  code: z.enum([
    "load-failed",
    "load-timeout",
    "no-room",
    "hook-timeout",
    "no-marks",
    "stripped-marks",
    "ambiguous-name",
    "entry-too-small",
    "no-such-generation",
    "attach-busy",
    "internal",
  ]),
  /** The lower layer's own words. */
  detail: z.string(),
});
export type AgentFailure = z.infer<typeof AgentFailure>;

/** Across the process border an expected failure is data. */
const resultOf = <T extends z.ZodType>(value: T) =>
  z.discriminatedUnion("ok", [
    z.object({ ok: z.literal(true), value }),
    z.object({ ok: z.literal(false), error: AgentFailure }),
  ]);
export type Result<T> = { ok: true; value: T } | { ok: false; error: AgentFailure };

/** Our thread through which Frida entered, and the address of its order (cli/frida/bridge/carrier.py). */
export const Carrier = z.object({ thread: z.number(), order: Address });
export type Carrier = z.infer<typeof Carrier>;

const BeginRequest = z.object({
  protocol: z.number(),
  /** Process id of the cli, written into the registry as the owner. */
  owner: z.number(),
  /** File names or SONAMEs to adopt; null: every module with marks. */
  libraries: z.array(z.string()).nullable(),
  /** Whether `libraries` are followed even without marks: the cli then selects among their functions. */
  unmarked: z.boolean(),
  /** Folder for staged files; null: libraries stay mapped from the file they were loaded from. */
  stage: z.string().nullable(),
  /** The host has just been spawned and is stopped. */
  stopped: z.boolean(),
  /** null: Frida entered through the host's first thread. */
  carrier: Carrier.nullable(),
});

export const BeginAnswer = z.object({
  protocol: z.number(),
  /** Path of the main module. */
  host: z.string(),
  libraries: z.array(FoundLibrary),
  /** Named functions with marks in the executable itself, which cannot be patched. */
  marksInExecutable: z.number(),
});
export type BeginAnswer = z.infer<typeof BeginAnswer>;

export const AdoptRequest = z.object({ library: z.string(), functions: z.array(UnmarkedFunction) });
export type AdoptRequest = z.infer<typeof AdoptRequest>;

/** The result of adopting generation 0's unmarked functions. */
export const AdoptAnswer = z.object({ adopted: z.array(SymbolName), refused: z.array(RefusedMark) });
export type AdoptAnswer = z.infer<typeof AdoptAnswer>;

export const LoadRequest = z.object({
  library: z.string(),
  generation: Generation,
  path: z.string(),
  buildId: z.string().nullable(),
  hash: z.string(),
  /** The copy's marked functions: the cli has read its file already. Offsets are relative to the load base. */
  marks: z.array(z.object({ name: SymbolName, offset: z.number() })),
  /** Its unmarked functions that are switched too. */
  functions: z.array(UnmarkedFunction),
  timeoutMs: z.number(),
});
export type LoadRequest = z.infer<typeof LoadRequest>;

/** What a loaded copy offers; nothing runs in it yet. */
export const LoadAnswer = z.object({
  /** ms for dlopen, including the copy's constructors. */
  loadMs: z.number(),
  /** ms for matching and adopting. */
  adoptMs: z.number(),
  /** Functions that are switched to, but whose entries in this copy could not be redirected through the table. */
  plain: z.array(RefusedMark),
});
export type LoadAnswer = z.infer<typeof LoadAnswer>;

/** A variable that lives through all generations. */
export const StateVariable = z.object({
  name: z.string(),
  /** As written in the source. */
  type: z.string(),
  /** In bytes. */
  size: z.number(),
  align: z.number(),
  /** Of the live value, in the storage of the first generation that had it. */
  address: Address,
});
export type StateVariable = z.infer<typeof StateVariable>;

/** A generation's switch hooks: addresses relative to its load base. */
export const Hooks = z.object({ before: z.number().nullable(), after: z.number().nullable() });
export type Hooks = z.infer<typeof Hooks>;

export const SwitchRequest = z.object({
  library: z.string(),
  generation: Generation,
  hooks: Hooks,
  /** ms that each hook may take. */
  timeoutMs: z.number(),
});
export type SwitchRequest = z.infer<typeof SwitchRequest>;

export const SwitchAnswer = z.object({
  from: Generation,
  generation: Generation,
  /** The after-hook had not returned in time. */
  late: z.boolean(),
  /** Why the after-hook was not called at all; null if it was, or there is none. */
  uncalled: z.string().nullable(),
});
export type SwitchAnswer = z.infer<typeof SwitchAnswer>;

/**
 * What a name resolves to in generation 0: "own" its own definition, "none" no definition in the global scope (so its
 * own as well), otherwise the path of the module that supplies it.
 */
const Provider = z.string();

export const StatusRequest = z.object({
  /**
   * For each thread, the addresses within `ranges` where it executes or that are on its stack: every return address,
   * and whatever looks like one. null: unavailable.
   */
  stacks: z.array(z.array(z.number())).nullable(),
});
export type StatusRequest = z.infer<typeof StatusRequest>;

export const LibraryStatus = z.object({
  library: z.string(),
  running: Generation,
  functions: z.array(z.object({ name: SymbolName, generation: Generation, oldThreads: z.number().nullable() })),
  /** In other code of generations that do not run. */
  otherThreads: z.number().nullable(),
});
export type LibraryStatus = z.infer<typeof LibraryStatus>;

/** method -> [argument, answer]. All answers are `Result`s. */
export const AgentMethods = {
  begin: [BeginRequest, resultOf(BeginAnswer)],
  adopt: [AdoptRequest, resultOf(AdoptAnswer)],
  load: [LoadRequest, resultOf(LoadAnswer)],
  switchTo: [SwitchRequest, resultOf(SwitchAnswer)],
  providers: [z.object({ library: z.string(), names: z.array(SymbolName) }), resultOf(z.array(Provider))],
  state: [z.object({ library: z.string() }), resultOf(z.array(StateVariable))],
  /** The address ranges of copies that threads may be inside of; empty if each library has only one. */
  ranges: [z.object({}), resultOf(z.array(z.object({ start: z.number(), end: z.number() })))],
  status: [StatusRequest, resultOf(z.array(LibraryStatus))],
  /** The last call: restores generation 0 (or keeps what runs) so that unloading the script changes nothing. */
  end: [z.object({ keep: z.boolean() }), resultOf(z.object({ restored: z.boolean() }))],
} as const;
export type AgentMethods = typeof AgentMethods;
export type AgentMethod = keyof AgentMethods;
export type AgentArgument<M extends AgentMethod> = z.infer<AgentMethods[M][0]>;
type Answer<M extends AgentMethod> = z.infer<AgentMethods[M][1]>;
export type AgentAnswer<M extends AgentMethod> = Extract<Answer<M>, { ok: true }>["value"];
/** The agent's side: one function per method. `load` is the only one that waits. */
export type AgentExports = {
  [M in AgentMethod]: (argument: AgentArgument<M>) => Result<AgentAnswer<M>> | Promise<Result<AgentAnswer<M>>>;
};

/** What the agent reports by itself, through send(). */
export const AgentEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("library:found"), library: FoundLibrary }),
  /** The host closes it so soon after opening it that it cannot be followed; where it once stays, it is found. */
  z.object({ type: z.literal("library:closed"), path: z.string() }),
  z.object({ type: z.literal("log"), level: z.enum(["error", "info", "debug", "trace"]), text: z.string() }),
]);
export type AgentEvent = z.infer<typeof AgentEvent>;
