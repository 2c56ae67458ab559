/** A stretch of the address space. */

/** Where a module is mapped. */
export interface Extent {
  readonly base: NativePointer;
  readonly size: number;
}

export const contains = ({ base, size }: Extent, at: NativePointer): boolean =>
  at.compare(base) >= 0 && at.compare(base.add(size)) < 0;
