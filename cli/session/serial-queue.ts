/** Jobs that run one after the other. One that fails is told of, and the next begins. */
export class SerialQueue {
  readonly #failed: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  add(job: () => Promise<void>): void {
    this.#last = this.#last.then(job).catch(this.#failed);
  }

  /** Resolves once everything added so far has ended. */
  get idle(): Promise<void> {
    return this.#last;
  }
}
