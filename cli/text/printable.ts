/** Text that a terminal cannot take for a command. */

/** Control characters, and those that reorder or break a line of text. */
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** What a terminal could take for a command stays visible as text. */
export const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
