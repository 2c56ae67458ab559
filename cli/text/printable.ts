/** Makes text safe to send to a terminal. */

/** Control characters, and characters that reorder or break a line. */
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** Escapes everything that a terminal could interpret, keeping it visible. */
export const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
