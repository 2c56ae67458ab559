/** Times for people. */

/** "00:12:31" */
export function clock(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  return [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60].map((n) => String(n).padStart(2, "0")).join(":");
}

/** "3 s", "40 s", "12 min", "3 h", "2 d": coarse, so that table rows rarely change. */
export function age(ms: number): string {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s < 10 ? s : s - (s % 10)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

/** The same as part of a sentence: "3 s ago", "just now". */
export const ago = (ms: number): string => (ms < 1000 ? "just now" : `${age(ms)} ago`);
