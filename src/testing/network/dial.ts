/** One dial over the simulated network: it knocks until it is let in, is refused, gives up or is called off. */
import type { Clock, TimerHandle } from "../../core/time/clock.ts";
import type { Socket } from "../../core/transport/socket.ts";
import type { Site } from "./connection.ts";

/** Who dials whom. */
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
  /** Whether a knock is heard now. */
  reach(from: string, to: string): "open" | "refused" | "silence";
  /** The machine that runs a name's code. */
  site(machine: string): Site;
  /** On the listener's machine: makes the connection and lets it in; `undefined` when nobody listens any more. */
  meet(request: DialRequest): Socket | undefined;
}

/** A lost first packet is sent again after so long, in ms. */
const AGAIN = 1_000;

/** Resolves to the dialler's end. Rejects with the signal's reason, or an Error when nobody answers in `timeout` ms or the door is shut. */
export function dial(request: DialRequest, timeout: number, owner: DialOwner): Promise<Socket> {
  const { from, to, signal } = request;
  const { clock } = owner;
  const asks = owner.site(from);
  return new Promise((resolve, reject: (reason: unknown) => void) => {
    if (signal.aborted) return reject(signal.reason);
    let over = false;
    let knocking: TimerHandle;
    const end = (settle: () => void): void => {
      over = true;
      clock.clear(patience);
      clock.clear(knocking);
      signal.removeEventListener("abort", calledOff);
      asks.run(settle);
    };
    const fail = (why: string): void => end(() => reject(new Error(`${to} ${why}`)));
    const calledOff = (): void => end(() => reject(signal.reason));
    const connected = (socket: Socket): void => (over ? socket.close() : end(() => resolve(socket)));
    const meet = (): void => {
      if (over) return;
      const socket = owner.meet(request);
      if (socket === undefined) fail("refuses: nobody listens there");
      else clock.set(owner.latency(), () => connected(socket), false);
    };
    const knock = (): void => {
      if (over) return;
      const answer = owner.reach(from, to);
      if (answer === "open") owner.site(to).run(meet);
      else if (answer === "refused") fail("refuses: nobody listens there");
      else knocking = clock.set(AGAIN, knock, false);
    };
    // Whatever happens at the other end, in the middle of a handshake too.
    const patience = clock.set(timeout, () => fail(`does not answer in ${timeout} ms`), false);
    signal.addEventListener("abort", calledOff, { once: true });
    knocking = clock.set(owner.latency(), knock, false);
  });
}
