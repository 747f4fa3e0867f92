/**
 * A fresh turn of the host's event loop for each step: the only proof that every promise callback the last step led to has
 * run. Taken from the host when this module loads, so that fake timers installed later do not stop it; those installed
 * earlier are known and passed by.
 */

/** Turns asked for at once: a trip round the event loop for every single one would be most of the cost of a simulation. */
const AT_ONCE = 32;

/** A port; Node's can be told not to keep the process alive. */
interface Port {
  onmessage: unknown;
  postMessage(message: undefined): void;
  ref?(): void;
  unref?(): void;
}

/** What a host may have for it. Some have one of them, and test runners take away or replace some. */
interface Host {
  readonly setImmediate?: (fn: () => void) => unknown;
  readonly MessageChannel?: new () => { readonly port1: Port; readonly port2: Port };
  readonly setTimeout: (fn: () => void) => unknown;
}

/** The usual fake timers leave their clock on each function they replace. */
function isFake(timer: object): boolean {
  return "clock" in timer;
}

function byMessages({ port1, port2 }: { readonly port1: Port; readonly port2: Port }): (fn: () => void) => void {
  const waiting: (() => void)[] = [];
  port1.onmessage = (): void => {
    const fn = waiting.shift();
    if (waiting.length === 0) port1.unref?.();
    fn?.();
  };
  port1.unref?.();
  return (fn) => {
    if (waiting.push(fn) === 1) port1.ref?.();
    port2.postMessage(undefined);
  };
}

/** What asks the host for a turn of its event loop: the quickest it has. */
export function turnsOf(host: Host): (fn: () => void) => void {
  const { setImmediate, MessageChannel, setTimeout } = host;
  // Node runs the microtasks and ticks after each of the immediates it was asked for, not only after the last.
  if (setImmediate !== undefined && !isFake(setImmediate)) return (fn) => void setImmediate(fn);
  if (MessageChannel !== undefined) return byMessages(new MessageChannel());
  return (fn) => void setTimeout(fn);
}

const askForTurn = turnsOf(globalThis);

/**
 * Calls `step` in one turn of the host after another until it returns `false`. Rejects with what it throws. Whatever else the
 * host does meanwhile, its timers and its I/O, it does between `outside(true)` and `outside(false)`.
 */
export function inTurns(
  step: () => boolean,
  outside: (isOutside: boolean) => void = (): void => undefined,
): Promise<void> {
  return new Promise((resolve, reject: (error: unknown) => void) => {
    let asked = 0;
    let over = false;
    const ask = (): void => {
      for (asked = 0; asked < AT_ONCE; asked++) askForTurn(turn);
      askForTurn(() => outside(!over));
    };
    const turn = (): void => {
      asked--;
      if (over) return;
      outside(false);
      try {
        if (!step()) {
          over = true;
          resolve();
        }
      } catch (error) {
        over = true;
        reject(error);
      }
      if (!over && asked === 0) ask();
    };
    ask();
  });
}
