/** Ranges of the address space, and what is known about the modules in them. */

/** Where a module is mapped. */
export interface Extent {
  readonly base: NativePointer;
  readonly size: number;
}

/** A loaded module. */
export interface Place extends Extent {
  /** Path of its file. */
  readonly path: string;
  /** The absolute path the host opened it by, if known. */
  readonly openedAs?: string | null;
}

export const contains = ({ base, size }: Extent, at: NativePointer): boolean =>
  at.compare(base) >= 0 && at.compare(base.add(size)) < 0;
