/**
 * File systems where inotify does not tell of every change: of what other machines, or the host of a virtual machine or
 * container, write there. Source: inotify(7), "Limitations and caveats"; linux/magic.h.
 */
import { statfsSync } from "node:fs";

const SHARED = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "SMB"],
  [0xfe534d42, "SMB"],
  [0x01021997, "9p"],
  [0x65735546, "FUSE"],
  [0x00c36400, "Ceph"],
  [0x5346414f, "AFS"],
  [0x0bd00bd0, "Lustre"],
  [0x786f4256, "a folder of VirtualBox"],
  [0xbacbacbc, "a folder of VMware"],
  [0x7c7c6673, "a folder of Parallels"],
  [0x794c7630, "an overlay"],
]);

/** The name of the file system that a folder is in, if it may change without a sign; otherwise null. */
export function sharedFileSystem(folder: string): string | null {
  try {
    return SHARED.get(statfsSync(folder).type) ?? null;
  } catch {
    return null; // gone: whoever watches it finds that out
  }
}
