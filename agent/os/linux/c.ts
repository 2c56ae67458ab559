/** Shares numbers between the C files here and the scripts that compile them. */

/** #define lines for these numbers, to go before a C source. */
export const define = (numbers: Readonly<Record<string, number>>): string =>
  Object.entries(numbers)
    .map(([name, value]) => `#define ${name} ${value}\n`)
    .join("");
