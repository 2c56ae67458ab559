/** Function symbols, and the size of one in ELF. */
import type { Address } from "../../../target/address.js";

/** Size of a symbol in bytes. */
export const SYMBOL = 24;

export interface FunctionSymbol {
  readonly name: string;
  readonly address: Address;
  /** Source file of a static function, if .symtab has it. */
  readonly file: string | null;
}
