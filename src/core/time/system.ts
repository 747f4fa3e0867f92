/** The real clock and the real random numbers: the only core file that touches the host it runs on. */
import type { AsyncContext } from "./async-context.ts";
import type { Clock, Random, TimerHandle } from "./clock.ts";

// Taken when the module loads, so that a test's fake timers installed later do not stop the clock of a real transport.
const { setTimeout: hostSetTimeout, clearTimeout: hostClearTimeout } = globalThis;
const { MessageChannel: HostMessageChannel } = globalThis as { MessageChannel?: typeof MessageChannel };
const hostQueueMicrotask = globalThis.queueMicrotask;
const { setImmediate: hostSetImmediate } = globalThis as { setImmediate?: (fn: () => void) => unknown };
// Bound: fake timers put a method of their own on the same object.
const hostNow = globalThis.performance.now.bind(globalThis.performance);

/** Node's timers can be told not to keep the process alive; a browser's are plain numbers. */
function release(timer: unknown): void {
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function")
    timer.unref();
}

/** Microtasks that a host without `nextTick` is given to finish a turn. */
const HOPS = 8;

/**
 * The end of a turn: when the promises that it settled, and all that followed from them, have run. One microtask is too
 * early: callers of different depth, an `await` more here and there, come back in different rounds of microtasks and would
 * each get a frame of their own, a quarter of the throughput. `setImmediate` would do, but delays a lone job by microseconds.
 */
function endOfTurn(): (fn: () => void) => void {
  const { process } = globalThis as {
    process?: { versions?: { node?: unknown }; nextTick?: (fn: () => void) => void };
  };
  // Stand-ins for `process` in web pages have no Node version, and may take a timer for their `nextTick`.
  const nextTick = typeof process?.versions?.node === "string" ? process.nextTick : undefined;
  // By way of a microtask, because a tick asked for outside of one comes before all of them instead of after.
  if (nextTick !== undefined) return (fn) => hostQueueMicrotask(() => nextTick(fn));
  const hop = (fn: () => void, left: number): void =>
    hostQueueMicrotask(left === 0 ? fn : (): void => hop(fn, left - 1));
  return (fn) => hop(fn, HOPS);
}

/**
 * The quickest way to a later turn of the event loop: `setImmediate` where the host has it, else a message to oneself.
 * A timer would do too, but browsers make it wait 4 ms.
 */
function laterTurn(): (fn: () => void) => void {
  if (hostSetImmediate !== undefined) return (fn) => void hostSetImmediate(fn);
  const waiting: (() => void)[] = [];
  const channel = new (HostMessageChannel ?? MessageChannel)();
  channel.port1.onmessage = (): void => waiting.shift()?.();
  return (fn) => {
    waiting.push(fn);
    channel.port2.postMessage(undefined);
  };
}

class SystemClock implements Clock {
  readonly #endOfTurn: (fn: () => void) => void = endOfTurn();
  #laterTurn: ((fn: () => void) => void) | undefined;

  now(): number {
    return hostNow();
  }

  set(delay: number, fn: () => void, keepAlive: boolean): TimerHandle {
    const timer: unknown = hostSetTimeout(fn, delay);
    if (!keepAlive) release(timer);
    return timer;
  }

  clear(handle: TimerHandle): void {
    hostClearTimeout(handle as Parameters<typeof hostClearTimeout>[0]);
  }

  endOfTurn(fn: () => void): void {
    this.#endOfTurn(fn);
  }

  nextTurn(fn: () => void): void {
    this.#laterTurn ??= laterTurn();
    this.#laterTurn(fn);
  }
}

interface AsyncHooks {
  readonly AsyncResource: new (type: string) => AsyncContext;
}

/** Node has them from 20.16 on; elsewhere there is no `AsyncLocalStorage` that a module for all hosts could reach. */
function asyncContexts(): (() => AsyncContext) | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const hooks = process?.getBuiltinModule?.("node:async_hooks") as AsyncHooks | undefined;
  return hooks === undefined ? undefined : () => new hooks.AsyncResource("powerhose:job");
}

/** Returns the async context of its caller, on hosts that have such. */
export const captureAsyncContext: (() => AsyncContext) | undefined = /* @__PURE__ */ asyncContexts();

class SystemRandom implements Random {
  readonly #pool = new Uint32Array(64);
  #next = 64;

  u32(): number {
    if (this.#next === this.#pool.length) {
      crypto.getRandomValues(this.#pool);
      this.#next = 0;
    }
    return this.#pool[this.#next++] ?? 0;
  }

  id(): string {
    let id = "";
    for (let i = 0; i < 4; i++) id += this.u32().toString(16).padStart(8, "0");
    return id;
  }
}

/** Shows a warning to people, on one line of the host's console. */
export function warnOnConsole({ message }: Error): void {
  // Looked up when it is used: a host may replace its console, and a page may have none.
  const { console } = globalThis as { console?: { warn?: (line: string) => void } };
  console?.warn?.(`powerhose: ${message.replaceAll(/\s*\n\s*/g, " ")}`);
}

/** Monotonic time and timers of this process. */
export const systemClock: Clock = /* @__PURE__ */ new SystemClock();
/** Cryptographic chance of this process. */
export const systemRandom: Random = /* @__PURE__ */ new SystemRandom();
