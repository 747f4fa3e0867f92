/** One dial over the simulated network: it tries until it is accepted, is refused, times out or is aborted. */
import type { Clock, TimerHandle } from "../../core/time/clock.ts";
import type { Socket } from "../../core/transport/socket.ts";
import type { Site } from "./connection.ts";

/** From which machine to which, and how. */
export interface DialRequest {
  readonly from: string;
  readonly to: string;
  /** What the dialler is authenticated as. */
  readonly principal: string;
  /** The largest frame the dialler takes, in bytes. */
  readonly maxFrameBytes: number;
  readonly signal: AbortSignal;
}

/** What a dial asks of the network. */
export interface DialOwner {
  readonly clock: Clock;
  latency(): number;
  /** What a connection request meets now. */
  reach(from: string, to: string): "open" | "refused" | "silence";
  /** Runs code on the machine of that name. */
  site(machine: string): Site;
  /** On the listener's machine: makes the connection and lets it in; `undefined` when it does not listen any more. */
  meet(request: DialRequest): Socket | undefined;
}

/** A lost first packet is sent again after so long, in ms. */
const RETRY_AFTER_MS = 1_000;

/** Resolves to the dialler's end. Rejects with the signal's reason, or an Error when no answer comes in `timeout` ms or the dial is refused. */
export function dial(request: DialRequest, timeout: number, owner: DialOwner): Promise<Socket> {
  const { from, to, signal } = request;
  const { clock } = owner;
  const site = owner.site(from);
  return new Promise((resolve, reject: (reason: unknown) => void) => {
    if (signal.aborted) return reject(signal.reason);
    let over = false;
    let retryTimer: TimerHandle;
    const end = (settle: () => void): void => {
      over = true;
      clock.clear(timeoutTimer);
      clock.clear(retryTimer);
      signal.removeEventListener("abort", onAbort);
      site.run(settle);
    };
    const fail = (why: string): void => end(() => reject(new Error(`${to} ${why}`)));
    const onAbort = (): void => end(() => reject(signal.reason));
    const connected = (socket: Socket): void => (over ? socket.close() : end(() => resolve(socket)));
    const meet = (): void => {
      if (over) return;
      const socket = owner.meet(request);
      if (socket === undefined) fail("refuses: nothing listens there");
      else clock.set(owner.latency(), () => connected(socket), false);
    };
    const tryConnect = (): void => {
      if (over) return;
      const answer = owner.reach(from, to);
      if (answer === "open") owner.site(to).run(meet);
      else if (answer === "refused") fail("refuses: nothing listens there");
      else retryTimer = clock.set(RETRY_AFTER_MS, tryConnect, false);
    };
    // Runs whatever happens at the other end, in the middle of a handshake too.
    const timeoutTimer = clock.set(timeout, () => fail(`does not answer in ${timeout} ms`), false);
    signal.addEventListener("abort", onAbort, { once: true });
    retryTimer = clock.set(owner.latency(), tryConnect, false);
  });
}
