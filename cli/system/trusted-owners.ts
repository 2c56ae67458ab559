/** Whose files may decide what hotpatch runs or loads. */

/** Ours and root's; as root under sudo also those of the user who asked for it, who could do all of it anyway. */
export function trustedOwners(): ReadonlySet<number> {
  const us = process.getuid?.() ?? 0;
  const asker = us === 0 ? Number(process.env.SUDO_UID ?? 0) : us;
  return new Set([0, us, asker]);
}
