/** Function symbols, and the form in which ELF has them. */
import type { Address } from "../../../target/address.js";

/** Bytes of a symbol. */
export const SYMBOL = 24;

export interface FunctionSymbol {
  readonly name: string;
  readonly address: Address;
  /** Source file of a static function, where .symtab tells it. */
  readonly file: string | null;
}
