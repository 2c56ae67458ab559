/**
 * The operating system of this bundle: all that the rest of the agent sees of it. To add a second, put a folder that
 * exports the same names next to linux.
 */

// Threads and processes.
export { dismissCarrier, hideCarrier } from "./linux/carrier.js";
export { now } from "./linux/clock.js";
// Memory that outlives the script, the code in it, and what is mapped.
export { codeOf } from "./linux/code.js";
export { OwnDescriptor } from "./linux/descriptors.js";

// What a module's file and image say.
export { exportsInMemory } from "./linux/image/dynamic.js";
export { type ModuleFile, readModuleFile } from "./linux/image/file.js";
export { FunctionStarts } from "./linux/image/function-starts.js";
export { pointersIn } from "./linux/image/pointers.js";
export type { FunctionSymbol } from "./linux/image/symbol.js";

// The loader and what it has loaded.
export { forgetPins, load, pin, pinFridaNeeds, pinLater } from "./linux/load.js";
export { LoaderWatch, type Watched } from "./linux/loader-watch.js";
export { codeMappings, dataMappings, NO_FILE } from "./linux/mappings.js";
export { findNamedData, mapAnywhere, mapNamed, mapNear, NoRoom, unmap } from "./linux/memory.js";
export { type LoadedModule, loadedModules, moduleAt } from "./linux/modules.js";
export { MemoryGone } from "./linux/peek.js";
export { processLives } from "./linux/processes.js";
export { stage } from "./linux/stage.js";
export { type CodeWrite, type Written, writeStopped } from "./linux/stop-the-world.js";
export { globalSymbol } from "./linux/symbols.js";
export { isAlone, startThread, untilSet } from "./linux/thread.js";
