/** One connection through the fault proxy: two directions, each of which delays, throttles or swallows what passes. */
import type { Socket } from "node:net";

/** Which way bytes travel: `up` to the runner, `down` to the worker. */
export type Direction = "up" | "down";

/** How a direction treats what it carries. */
export interface Weather {
  /** The least and the most each piece is delayed, in ms; order is kept. */
  readonly delay: readonly [number, number];
  /** Bytes a second; `Infinity`: as fast as it comes. */
  readonly rate: number;
}

/** Nothing is in the way. */
export const CALM: Weather = { delay: [0, 0], rate: Number.POSITIVE_INFINITY };

/** Above so many bytes under way no more are read, so that the sender feels the throttle as it would on a slow line. */
const HIGH_WATER = 65_536;

/** A number from 0, up to 1. */
type Fraction = () => number;

/** Something that arrives at a time. */
interface Piece {
  readonly due: number;
  readonly arrive: () => void;
}

/** Cuts with a reset. After an orderly end the host refuses that, and would keep the socket open for ever. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** One direction. */
class Lane {
  readonly #from: Socket;
  readonly #weather: () => Weather;
  readonly #fraction: Fraction;
  /** What is under way, in order. One timer for all: timers of their own could overtake each other. */
  #pieces: Piece[] = [];
  #timer: NodeJS.Timeout | undefined;
  #swallows = false;
  #arrival = 0;
  #bytes = 0;

  constructor(from: Socket, to: Socket, weather: () => Weather, fraction: Fraction) {
    this.#from = from;
    this.#weather = weather;
    this.#fraction = fraction;
    from.on("data", (chunk: Buffer) => this.#carry(chunk, to));
    from.on("end", () => this.#send(0, () => to.end()));
    from.on("error", () => this.#swallows || reset(to));
  }

  /** From now on nothing arrives any more, not even the end. For good: what is missing from a stream cannot be left out. */
  swallow(): void {
    this.#swallows = true;
    this.clear();
    this.#from.resume();
  }

  /** Drops what is under way. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pieces = [];
  }

  #carry(chunk: Buffer, to: Socket): void {
    this.#bytes += chunk.length;
    if (this.#bytes > HIGH_WATER && !this.#swallows) this.#from.pause();
    this.#send((chunk.length / this.#weather().rate) * 1_000, () => {
      this.#bytes -= chunk.length;
      if (this.#bytes <= HIGH_WATER) this.#from.resume();
      if (to.writable) to.write(chunk);
    });
  }

  /** Something arrives once all before it has, and so many ms of sending and the delay have passed. */
  #send(sending: number, arrive: () => void): void {
    if (this.#swallows) return;
    const [least, most] = this.#weather().delay;
    const delayed = performance.now() + least + this.#fraction() * (most - least);
    this.#arrival = Math.max(this.#arrival, delayed) + sending;
    this.#pieces.push({ due: this.#arrival, arrive });
    this.#wait();
  }

  #wait(): void {
    const [first] = this.#pieces;
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#deliver(), first.due - performance.now());
  }

  #deliver(): void {
    this.#timer = undefined;
    const now = performance.now() + 1; // a timer may fire a little early
    while (this.#pieces[0] !== undefined && this.#pieces[0].due <= now) this.#pieces.shift()?.arrive();
    this.#wait();
  }
}

/** A connection: the worker's socket and the one to the runner. */
export class FaultyWire {
  /** Fulfils once both of its sockets are closed. */
  readonly closed: Promise<void>;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #lanes: Readonly<Record<Direction, Lane>>;
  #isBroken = false;

  /**
   * @param client - What the worker dialled, paused or not yet read; allows half-open.
   * @param server - The connection to the runner; allows half-open.
   * @param weather - What holds now.
   * @param fraction - Chance.
   */
  constructor(client: Socket, server: Socket, weather: () => Weather, fraction: Fraction) {
    this.#client = client;
    this.#server = server;
    this.#lanes = {
      up: new Lane(client, server, weather, fraction),
      down: new Lane(server, client, weather, fraction),
    };
    const ends = [client, server].map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.once("close", () => resolve());
        }),
    );
    this.closed = Promise.all(ends).then(() => undefined);
  }

  /** Whether it was cut or swallows something. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Both ends see an orderly end at once (`fin`) or an error (`rst`); what was under way is lost. */
  cut(how: "fin" | "rst"): void {
    this.#isBroken = true;
    for (const lane of Object.values(this.#lanes)) lane.swallow();
    for (const socket of [this.#client, this.#server]) {
      if (how === "rst") reset(socket);
      else socket.end();
    }
  }

  /** Swallows everything in these directions from now on, while both ends believe that they are connected. */
  halfOpen(directions: readonly Direction[]): void {
    this.#isBroken = true;
    for (const direction of directions) this.#lanes[direction].swallow();
  }

  /** Ends it without ceremony. */
  destroy(): void {
    for (const lane of Object.values(this.#lanes)) lane.clear();
    this.#client.destroy();
    this.#server.destroy();
  }
}
