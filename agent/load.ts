/**
 * dlopen of a generation's copy, on a thread of its own with a time limit: a constructor that blocks must not take the
 * agent with it. RTLD_NOW, so that an undefined function is the loader's refusal instead of the host's death at the
 * first call; RTLD_LOCAL, so that copies never supply names to others.
 */
import { mapAnywhere } from "./memory.js";
import { LOAD_JOB, LOADER_CODE } from "./thunk.js";

const global = (name: string) => Module.getGlobalExportByName(name);
const pthreadCreate = new NativeFunction(global("pthread_create"), "int", ["pointer", "pointer", "pointer", "pointer"]);
const pthreadDetach = new NativeFunction(global("pthread_detach"), "int", ["pointer"]);
const pthreadSigmask = new NativeFunction(global("pthread_sigmask"), "int", ["int", "pointer", "pointer"]);
const dladdr1 = new NativeFunction(global("dladdr1"), "int", ["pointer", "pointer", "pointer", "int"]);

const SIG_SETMASK = 2;
const RTLD_NOW = 2;
const RTLD_NOLOAD = 4;
const RTLD_NODELETE = 0x1000;
const RTLD_DL_LINKMAP = 2;
/** ms between looks at a load that takes its time. */
const LOOK_MS = 2;
/** ms in which most loads end: watched closely, so that a quick one is seen at once. */
const QUICK_MS = 5;

export type Loaded =
  | { readonly kind: "loaded"; readonly ms: number }
  | { readonly kind: "failed"; readonly detail: string }
  | { readonly kind: "timeout" };

let code: NativePointer | null = null;

function loaderCode(): NativePointer {
  if (code === null) {
    code = mapAnywhere(LOADER_CODE.length);
    code.writeByteArray([...LOADER_CODE]);
    Memory.protect(code, LOADER_CODE.length, "r-x");
  }
  return code;
}

/** Starts the thread with all signals blocked: the host's handlers must not run on it. */
function startThread(job: NativePointer): void {
  const all = Memory.alloc(128);
  all.writeByteArray(new Array<number>(128).fill(0xff));
  const before = Memory.alloc(128);
  const thread = Memory.alloc(8);
  pthreadSigmask(SIG_SETMASK, all, before);
  const failed = pthreadCreate(thread, NULL, loaderCode(), job);
  pthreadSigmask(SIG_SETMASK, before, NULL);
  if (failed !== 0) throw new Error(`the target's pthread_create failed with error ${failed}`);
  pthreadDetach(thread.readPointer());
}

/** @param timeoutMs after which the load is given up; the thread goes on until the constructor returns */
export async function load(path: string, timeoutMs: number): Promise<Loaded> {
  const job = newJob(path, RTLD_NOW);
  const start = Date.now();
  startThread(job);
  const done = () => job.add(LOAD_JOB.done).readU32() !== 0;
  while (!done() && Date.now() - start < QUICK_MS) Thread.sleep(0.0001);
  while (!done()) {
    if (Date.now() - start > timeoutMs) return { kind: "timeout" };
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  if (!job.add(LOAD_JOB.handle).readPointer().isNull()) return { kind: "loaded", ms: Date.now() - start };
  const detail = job.add(LOAD_JOB.error).readUtf8String();
  return { kind: "failed", detail: detail === null || detail === "" ? "dlopen gave no reason" : detail };
}

/**
 * Keeps the library at `base` mapped although the host may dlclose it: thunks and tables lead into it. Asked for by the
 * loader's own name of it, which also finds it when its file has been replaced. On a thread of its own, because a
 * constructor that blocks holds the loader's lock.
 */
export function pin(base: NativePointer): void {
  const info = Memory.alloc(32);
  const found = Memory.alloc(Process.pointerSize);
  if (dladdr1(base, info, found, RTLD_DL_LINKMAP) === 0) return;
  const name = found.readPointer().add(Process.pointerSize).readPointer().readUtf8String(); // link_map.l_name
  if (name !== null && name !== "") startThread(newJob(name, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE));
}

function newJob(path: string, mode: number): NativePointer {
  const job = mapAnywhere(LOAD_JOB.size + path.length * 4 + 1);
  const ownPath = job.add(LOAD_JOB.size);
  ownPath.writeUtf8String(path);
  job.add(LOAD_JOB.dlopen).writePointer(global("dlopen"));
  job.add(LOAD_JOB.dlerror).writePointer(global("dlerror"));
  job.add(LOAD_JOB.strncpy).writePointer(global("strncpy"));
  job.add(LOAD_JOB.path).writePointer(ownPath);
  job.add(LOAD_JOB.mode).writeU32(mode);
  return job;
}
