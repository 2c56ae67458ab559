/** The small values both sides exchange. No I/O; the agent imports the types only. */
import { z } from "zod";

/** A running or once running copy's number, per library; 0 is what the host itself loaded. */
export const Generation = z.number().int().nonnegative();
export type Generation = z.infer<typeof Generation>;

/** An address in the target, as "0x..." text: 64 bits do not fit a JSON number. */
export const Address = z.string().regex(/^0x[0-9a-f]+$/i);
export type Address = z.infer<typeof Address>;

/** A process id of the operating system. */
export const Pid = z.number().int().positive();
export type Pid = z.infer<typeof Pid>;

/** A function's name as its library spells it (mangled for C++). */
export const SymbolName = z.string().min(1);
export type SymbolName = z.infer<typeof SymbolName>;
