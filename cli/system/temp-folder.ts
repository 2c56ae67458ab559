/**
 * The temporary folder. Everything that a target loads passes through it: our copies, and Frida's agent, which both
 * bindings unpack there. Must be settled before anything is put there.
 */
import { constants, realpathSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { HotpatchError, unsafeFolder, wordsOf } from "../errors.js";
import { trustedOwners } from "./trusted-owners.js";

/**
 * Makes sure that nobody else can replace what we put into the temporary folder, and from here on uses its resolved
 * path: a link in it could be redirected later. Throws unsafe-folder.
 */
export function settleTemp(): void {
  const asked = tmpdir();
  const real = realPathOf(asked);
  const weakness = weaknessOn(real);
  if (weakness !== null) throw new HotpatchError(unsafeFolder(asked, weakness));
  // For Python and Frida, whose precedence of TMP and TEMP differs from node's.
  process.env.TMPDIR = real;
}

function weaknessOn(path: string): string | null {
  for (let folder = path; ; folder = dirname(folder)) {
    const weakness = weaknessOf(folder, statSync(folder), trustedOwners());
    if (weakness !== null || folder === dirname(folder)) return weakness;
  }
}

function realPathOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch (error) {
    throw new HotpatchError(unsafeFolder(folder, wordsOf(error)), error);
  }
}

/** How others could replace an entry of this folder; null if they cannot. With the sticky bit only owners can. */
export function weaknessOf(
  folder: string,
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
  trusted: ReadonlySet<number>,
): string | null {
  if (!trusted.has(uid)) return `${folder} belongs to user ${uid}`;
  if ((mode & constants.S_IFMT) !== constants.S_IFDIR) return `${folder} is not a folder`;
  if ((mode & 0o1000) !== 0) return null;
  if ((mode & 0o002) !== 0) return `everybody may write to ${folder}, and it has no sticky bit`;
  // By convention on most systems, a group with the user's own number has no other members.
  if ((mode & 0o020) !== 0 && gid !== uid) return `group ${gid} may write to ${folder}, and it has no sticky bit`;
  return null;
}
