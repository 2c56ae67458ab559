/** What the C files here share with the scripts that have them compiled. */

/** Lines for the beginning of a C source that give it these numbers. */
export const define = (numbers: Readonly<Record<string, number>>): string =>
  Object.entries(numbers)
    .map(([name, value]) => `#define ${name} ${value}\n`)
    .join("");
