/** A started WebSocket listener with what it accepted and reported, for tests of who gets in. */
import type { Receiver, Socket, SocketLimits } from "../../../../src/core/transport/socket.ts";
import {
  listenWebSocket,
  type WebSocketListener,
  type WebSocketListenerOptions,
} from "../../../../src/transports/websocket/node/index.ts";

/** The frame limit of the listener. */
export const MAX: number = 64 * 1024;

export class Gate {
  readonly listener: WebSocketListener;
  readonly accepted: Socket[] = [];
  readonly reports: Error[] = [];
  /** The close code of each accepted socket that has closed. */
  readonly closed: string[] = [];
  /** How many frames all of them got. */
  frames = 0;

  readonly #limits: SocketLimits;

  constructor(options: WebSocketListenerOptions = {}, limits: SocketLimits = { maxFrameBytes: MAX }) {
    this.listener = listenWebSocket(options);
    this.#limits = limits;
  }

  static async open(options: WebSocketListenerOptions = {}, limits?: SocketLimits): Promise<Gate> {
    const gate = new Gate(options, limits);
    await gate.start();
    return gate;
  }

  get port(): number {
    return Number(new URL(this.listener.address).port);
  }

  start(): Promise<void> {
    return this.listener.start(this.#accept, { ...this.#limits, report: (error) => void this.reports.push(error) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.stop();
  }

  readonly #accept = (socket: Socket): void => {
    this.accepted.push(socket);
    const receiver: Receiver = {
      frame: () => void this.frames++,
      closed: (reason) => void this.closed.push(reason.code),
    };
    socket.open(receiver);
  };
}
