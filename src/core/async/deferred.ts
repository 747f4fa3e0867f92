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

/**
 * Starts `work` once `hold` has its promise. User code that `work` calls at once, and that asks for the same, then finds
 * that promise instead of starting the work again.
 */
export function startHeld(work: () => Promise<void>, hold: (promise: Promise<void>) => void): Promise<void> {
  const done = new Deferred<void>();
  hold(done.promise);
  work().then(
    () => done.resolve(),
    (error: unknown) => done.reject(error),
  );
  return done.promise;
}
