/**
 * Functions of the target that the script calls. Frida lets other threads into the script while a NativeFunction runs,
 * unless it is told not to: the thread that looks at what the loader maps would find the state of this one half changed
 * (docs/decisions/0016). So this is the only file that makes one.
 */

/** Of whatever module comes first. To look takes the loader's lock, which a thread may hold that waits for us: once. */
export const exported = (name: string): NativePointer => Module.getGlobalExportByName(name);

/** Code at an address; no other thread enters the script until it returns. It must not wait for the loader. */
export const nativeAt = <R extends NativeFunctionReturnType, A extends NativeFunctionArgumentType[] | []>(
  address: NativePointer,
  returns: R,
  takes: A,
) => new NativeFunction(address, returns, takes, { scheduling: "exclusive" });

/** The same of an exported function. */
export const native = <R extends NativeFunctionReturnType, A extends NativeFunctionArgumentType[] | []>(
  name: string,
  returns: R,
  takes: A,
) => nativeAt(exported(name), returns, takes);

/**
 * An exported function that may wait for the loader's locks. Their holder may wait for our other thread to have looked, and
 * that one for the script: it is let in. The caller leaves nothing half changed.
 */
export const nativeThatWaits = <R extends NativeFunctionReturnType, A extends NativeFunctionArgumentType[] | []>(
  name: string,
  returns: R,
  takes: A,
) => new NativeFunction(exported(name), returns, takes, { scheduling: "cooperative" });
