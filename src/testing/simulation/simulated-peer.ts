/** A connection to a runner that sends exactly what a scenario tells it: for all that an honest worker never sends. */
import type { HelloMessage, Message } from "../../core/protocol/message.ts";
import { decodeFrame, FrameWriter } from "../../core/protocol/codec.ts";
import type { CloseReason, Socket } from "../../core/transport/socket.ts";
import { isBytes } from "../../core/job/utf8.ts";
import { MESSAGE_CODES } from "../../core/protocol/constants.ts";
import { describeValue } from "../history/format.ts";
import { DEFAULT_PAYLOAD } from "../../core/options.ts";
import { machineName } from "../network/machine-names.ts";
import type { Machine } from "./machine.ts";
import type { World } from "./world.ts";

/** Options of a simulated peer. */
export interface SimulatedPeerOptions {
  /** The machine of the runner it dials; default `runner`. */
  readonly to?: string | undefined;
  /** The principal it authenticates as; default `local`. */
  readonly principal?: string | undefined;
}

const MAX_FRAME_BYTES = 2 ** 30;

/** A peer that follows no rule. */
export class SimulatedPeer {
  /** The name of its machine. */
  readonly name: string;
  /** Every message it was sent, in order. */
  readonly received: Message[] = [];
  readonly #world: World;
  readonly #machine: Machine;
  readonly #to: string;
  readonly #principal: string | undefined;
  readonly #listeners: ((message: Message) => void)[] = [];
  #socket: Socket | undefined;
  #closed: CloseReason | undefined;

  /** @internal */
  constructor(name: string, options: SimulatedPeerOptions, world: World) {
    this.name = machineName(name, "a peer");
    this.#world = world;
    this.#machine = world.machine(name, "peer");
    this.#to = options.to ?? "runner";
    this.#principal = options.principal;
  }

  /** Why its connection was closed; `undefined` while it is open or was never made. */
  get closed(): CloseReason | undefined {
    return this.#closed;
  }

  /** Connects. Rejects when the dial fails, or when it is connected. May be done again once it is closed. */
  async connect(): Promise<void> {
    if (this.#socket !== undefined) throw new Error(`${this.name} is connected already`);
    const dialer = this.#world.network.dialer(this.name, this.#to, this.#principal);
    const socket = await dialer.dial(new AbortController().signal, { maxFrameBytes: MAX_FRAME_BYTES });
    this.#socket = socket;
    this.#closed = undefined;
    socket.open({
      frame: (bytes) => decodeFrame(bytes, (message) => this.#onMessage(message)),
      closed: (reason) => {
        this.#closed = reason;
        this.#socket = undefined;
      },
    });
  }

  /** Calls `onMessage` for each message it is sent. */
  on(onMessage: (message: Message) => void): void {
    this.#listeners.push(onMessage);
  }

  /** Registers, as a worker would: with its machine's name, one slot and whatever `over` says. */
  hello(over: Partial<HelloMessage> = {}): void {
    const instance = this.#machine.name;
    const honest = {
      type: "HELLO",
      version: 1,
      identity: this.name,
      instance,
      capacity: 1,
      blocking: false,
      served: 0,
      labels: [],
      features: 0,
      maxPayload: DEFAULT_PAYLOAD,
      isRelay: false,
    } as const;
    this.send({ ...honest, ...over });
  }

  /** Sends messages, all in one frame. `false` when there is no connection. @throws TypeError when one is of no known type: for such see {@link SimulatedPeer.sendBytes}. */
  send(...messages: readonly Message[]): boolean {
    const writer = new FrameWriter();
    for (const message of messages) {
      const type = (message as Partial<Message> | undefined)?.type ?? "";
      if (!Object.hasOwn(MESSAGE_CODES, type))
        throw new TypeError(
          `send: no message is of the type ${describeValue(type)}; for a frame of any bytes use sendBytes`,
        );
      writer.append(message);
    }
    return this.#socket?.send(writer.take()) ?? false;
  }

  /** Sends a frame of any bytes. `false` when there is no connection. @throws TypeError when they are no Uint8Array. */
  sendBytes(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (!isBytes(bytes)) throw new TypeError(`sendBytes takes a Uint8Array, not ${describeValue(bytes)}`);
    return this.#socket?.send(bytes) ?? false;
  }

  /** Closes its connection. */
  close(): void {
    this.#socket?.close();
  }

  #onMessage(message: Message): void {
    this.received.push(message);
    for (const onMessage of this.#listeners) onMessage(message);
  }
}
