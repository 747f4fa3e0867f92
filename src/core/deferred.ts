/** A promise with its handles outside, for the places that settle one from another event. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  #resolve: (value: T) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Fulfils the promise; only the first settlement counts. */
  resolve(value: T): void {
    this.#resolve(value);
  }

  /** Rejects the promise; only the first settlement counts. */
  reject(error: unknown): void {
    this.#reject(error);
  }
}
