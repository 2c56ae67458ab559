/** The users whose files may decide what hotpatch runs or loads. */

/** We and root; under sudo also the invoking user, who could do all of it anyway. */
export function trustedOwners(): ReadonlySet<number> {
  const us = process.getuid?.() ?? 0;
  const asker = us === 0 ? Number(process.env.SUDO_UID ?? 0) : us;
  return new Set([0, us, asker]);
}
