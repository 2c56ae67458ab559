/**
 * The target's functions that the script calls. By default Frida lets other threads into the script while a
 * NativeFunction runs: the thread that examines newly mapped libraries would then see half-updated state
 * (docs/decisions/0016). So this is the only file that creates one.
 */

/** From the first module that has it. The lookup takes the loader's lock, whose holder may be waiting for us: do it once. */
export const exported = (name: string): NativePointer => Module.getGlobalExportByName(name);

/** Code at an address; no other thread enters the script until it returns. Must not wait for the loader. */
export const nativeAt = <R extends NativeFunctionReturnType, A extends NativeFunctionArgumentType[] | []>(
  address: NativePointer,
  returns: R,
  takes: A,
) => new NativeFunction(address, returns, takes, { scheduling: "exclusive" });

/** The same for an exported function. */
export const native = <R extends NativeFunctionReturnType, A extends NativeFunctionArgumentType[] | []>(
  name: string,
  returns: R,
  takes: A,
) => nativeAt(exported(name), returns, takes);

/**
 * An exported function that may wait for the loader's locks. Their holder may be waiting for our other thread, and that
 * thread for the script, so it is let in. The caller must leave no state half updated.
 */
export const nativeThatWaits = <R extends NativeFunctionReturnType, A extends NativeFunctionArgumentType[] | []>(
  name: string,
  returns: R,
  takes: A,
) => new NativeFunction(exported(name), returns, takes, { scheduling: "cooperative" });
