/**
 * Loads a generation's copy with dlopen, on a thread of its own with a time limit: a constructor that blocks must not block
 * the agent. RTLD_NOW, so that an undefined function makes dlopen fail instead of crashing the host at the first call;
 * RTLD_LOCAL, so that copies never provide symbols to others.
 */
import { LOAD_JOB } from "../../arch/index.js";
import { contains, type Extent } from "../../target/extent.js";
import { exported, native, nativeThatWaits } from "../../target/native.js";
import { codeOf } from "./code.js";
import { imageSize } from "./image/segments.js";
import { mapAnywhere, NoRoom, unmap } from "./memory.js";
import type { LoadedModule } from "./modules.js";
import { blocking, startThread, untilSet } from "./thread.js";

const [DLOPEN, DLERROR, STRNCPY] = [exported("dlopen"), exported("dlerror"), exported("strncpy")];
const dladdr1 = nativeThatWaits("dladdr1", "int", ["pointer", "pointer", "pointer", "int"]);
const dlinfo = native("dlinfo", "int", ["pointer", "int", "pointer"]);

const RTLD_NOW = 2;
const RTLD_NOLOAD = 4;
const RTLD_NODELETE = 0x1000;
const RTLD_DL_LINKMAP = 2;
const RTLD_DI_LINKMAP = 2;
/** Offsets of the fields we read in struct link_map (link.h) and Dl_info (dlfcn.h), and the size of the latter. */
const LINK_MAP = { dynamic: 16 } as const;
const DL_INFO = { base: 8, size: 32 } as const;

export type Loaded =
  | ({ readonly kind: "loaded"; readonly ms: number } & Extent)
  | { readonly kind: "failed"; readonly detail: string }
  | { readonly kind: "timeout" };

/** @param timeoutMs after which we give up; the thread continues until the constructor returns. */
export async function load(path: string, timeoutMs: number): Promise<Loaded> {
  const job = newJob(path, RTLD_NOW);
  try {
    startThread(codeOf("loader"), job);
  } catch (error) {
    unmap(job, jobSize(path));
    throw error;
  }
  const ms = await untilSet(job.add(LOAD_JOB.done), timeoutMs);
  if (ms === null) return { kind: "timeout" };
  const handle = job.add(LOAD_JOB.handle).readPointer();
  const detail = handle.isNull() ? job.add(LOAD_JOB.error).readUtf8String() : null;
  unmap(job, jobSize(path)); // the thread has written its last word there
  if (!handle.isNull()) return { kind: "loaded", ms, ...extentOf(handle) };
  return { kind: "failed", detail: detail === null || detail === "" ? "dlopen gave no reason" : detail };
}

/** Where the handle's module is, asked of the loader itself: a name may stand for several modules. */
function extentOf(handle: NativePointer): Extent {
  const info = Memory.alloc(DL_INFO.size);
  const map = Memory.alloc(Process.pointerSize);
  if (dladdr1(insideOf(handle), info, map, RTLD_DL_LINKMAP) === 0)
    throw new Error("the loader does not know its own module");
  const base = info.add(DL_INFO.base).readPointer();
  return { base, size: imageSize(base) };
}

/** An address in the handle's module: its dynamic section. */
function insideOf(handle: NativePointer): NativePointer {
  const map = Memory.alloc(Process.pointerSize);
  if (dlinfo(handle, RTLD_DI_LINKMAP, map) !== 0) throw new Error("the loader does not know its own handle");
  return map.readPointer().add(LINK_MAP.dynamic).readPointer();
}

/** What Frida's agent is linked against, except what no process can unload. Source: its DT_NEEDED, Frida 17.26. */
const FRIDA_NEEDS = ["libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0"];

/**
 * Pins what Frida's agent calls, even if the host calls dlclose on it: Frida binds its agent to libraries that it finds
 * loaded, without pinning them (docs/decisions/0005).
 */
export function pinFridaNeeds(modules: readonly LoadedModule[]): void {
  for (const name of FRIDA_NEEDS) if (modules.some(({ path }) => path.endsWith(`/${name}`))) pinNamed(name);
}

/**
 * Pins a module, even if the host calls dlclose on it: thunks and tables point into it. On a thread of its own, because a
 * constructor that blocks holds the loader's lock.
 * @returns whether it is pinned; false if that takes longer than `ms`, or if the host has closed it meanwhile
 */
export function pin(module: LoadedModule, ms: number): boolean {
  if (module.name === "") return true;
  return namesOf(module).some((name) => {
    const { job } = pinNamed(name);
    return blocking(() => isDone(job), ms) && isPinned(job, module);
  });
}

/**
 * What the loader may find a module by: its own name for it, which works even if its file has been replaced, and another
 * spelling, which leads it to the file: where a replaced library has been opened again, two modules have one name.
 */
const namesOf = ({ name }: LoadedModule): string[] => [name, name.replace(/\/([^/]*)$/, "/./$1")];

/** Retry interval in ms for pinning a library while the target has no room for a thread. */
const AGAIN_MS = 250;
/** Polling interval in ms: a library's constructor, which the pin waits for, may be quick or take minutes. */
const PINNED_MS = 5;

/**
 * The same, but later and for as long as it takes: while a thread that opens a library waits for us, no thread can be
 * started, and the loader's lock is free only when the library's constructors have returned.
 */
export async function pinLater(module: LoadedModule): Promise<boolean> {
  await sleep(0);
  for (const name of namesOf(module)) if (await pinInTime(name, module)) return true;
  return false;
}

async function pinInTime(name: string, module: LoadedModule): Promise<boolean> {
  let pinning = tryPin(name);
  for (; pinning === null; pinning = tryPin(name)) await sleep(AGAIN_MS);
  while (pins.has(pinning)) {
    if (isDone(pinning.job)) return isPinned(pinning.job, module);
    await sleep(PINNED_MS);
  }
  return false; // the session has ended
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const isDone = (job: NativePointer): boolean => job.add(LOAD_JOB.done).readU32() !== 0;

/** Whether what was pinned is this very module: under its name another may have been opened since. */
function isPinned(job: NativePointer, module: LoadedModule): boolean {
  const handle = job.add(LOAD_JOB.handle).readPointer();
  return !handle.isNull() && contains(module, insideOf(handle));
}

function tryPin(name: string): Pinning | null {
  try {
    return pinNamed(name);
  } catch (error) {
    if (error instanceof NoRoom) return null;
    throw error;
  }
}

interface Pinning {
  readonly job: NativePointer;
  readonly size: number;
}

/** Pins whose jobs are still mapped. */
const pins = new Set<Pinning>();

function pinNamed(name: string): Pinning {
  const pinning = { job: newJob(name, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE), size: jobSize(name) };
  startThread(codeOf("loader"), pinning.job);
  pins.add(pinning);
  return pinning;
}

/** At the end of a session: frees the jobs of those whose threads have ended. */
export function forgetPins(): void {
  for (const { job, size } of pins) if (isDone(job)) unmap(job, size);
  pins.clear();
}

/** In bytes, including the path. */
const jobSize = (path: string): number => LOAD_JOB.size + path.length * 4 + 1;

function newJob(path: string, mode: number): NativePointer {
  const job = mapAnywhere(jobSize(path));
  const ownPath = job.add(LOAD_JOB.size);
  ownPath.writeUtf8String(path);
  job.add(LOAD_JOB.dlopen).writePointer(DLOPEN);
  job.add(LOAD_JOB.dlerror).writePointer(DLERROR);
  job.add(LOAD_JOB.strncpy).writePointer(STRNCPY);
  job.add(LOAD_JOB.path).writePointer(ownPath);
  job.add(LOAD_JOB.mode).writeU32(mode);
  return job;
}
