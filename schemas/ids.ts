/** The small values that both sides exchange. No I/O; the agent imports only the types. */
import { z } from "zod";

/** The number of a copy that runs or ran, per library; 0 is what the host itself loaded. */
export const Generation = z.number().int().nonnegative();
export type Generation = z.infer<typeof Generation>;

/** An address in the target, as "0x..." text: 64 bits do not fit a JSON number. */
export const Address = z.string().regex(/^0x[0-9a-f]+$/i);
export type Address = z.infer<typeof Address>;

/** A process id. */
export const Pid = z.number().int().positive();
export type Pid = z.infer<typeof Pid>;

/** A function's name as its library spells it (mangled for C++). */
export const SymbolName = z.string().min(1);
export type SymbolName = z.infer<typeof SymbolName>;
