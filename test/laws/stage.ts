/**
 * What the laws are played on: a started listener, connections with a recorder at each end, and frames that can be told
 * apart. Knows no law.
 */
import type { CloseReason, ListenerContext, Receiver, Socket } from "../../src/core/socket.ts";
import type { Rig } from "./rigs.ts";

/** The frame limit of every socket in the suite. */
export const MAX: number = 64 * 1024;

/** A receiver that writes down what it is told. */
export class Recorder implements Receiver {
  readonly frames: Uint8Array[] = [];
  readonly closes: CloseReason[] = [];
  /** `f` for a frame, `c` for a close, in the order of arrival. */
  order = "";
  onFrame: (bytes: Uint8Array) => void = () => undefined;
  onClosed: () => void = () => undefined;

  frame(frame: Uint8Array): void {
    this.order += "f";
    this.frames.push(frame);
    this.onFrame(frame);
  }

  closed(reason: CloseReason): void {
    this.order += "c";
    this.closes.push(reason);
    this.onClosed();
  }
}

/** Bytes that tell where they belong: a number that counts, then a pattern. */
export function bytes(length: number, seed = 0): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(length);
  for (let i = 0; i < length; i++) made[i] = seed * 31 + i * 7 + (i >> 8);
  return made;
}

/** Compares large frames, on which `toEqual` takes its time. */
export function same(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one?.byteLength === other.byteLength && one.every((byte, i) => byte === other[i]);
}

export function text(frame: Uint8Array | undefined): string {
  return new TextDecoder().decode(frame);
}

export function utf8(words: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(words);
}

/** One connection, with recorders at both ends: `near` dialled, `far` was accepted. */
export interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  readonly nearSide: Recorder;
  readonly farSide: Recorder;
}

/** A rig with a started listener, and the sockets it opened. */
export class Stage {
  readonly rig: Rig;
  readonly accepted: Socket[] = [];
  readonly reports: Error[] = [];
  readonly context: ListenerContext = { maxFrameBytes: MAX, report: (error) => void this.reports.push(error) };
  readonly accept = (socket: Socket): void => void this.accepted.push(socket);
  readonly #dialled: Socket[] = [];

  constructor(rig: Rig) {
    this.rig = rig;
  }

  start(): Promise<void> {
    return this.rig.settle(this.rig.listener.start(this.accept, this.context));
  }

  stop(): Promise<void> {
    return this.rig.settle(this.rig.listener.stop());
  }

  /** One connection: the dialler's end and the listener's. */
  async connect(): Promise<[Socket, Socket]> {
    const known = this.accepted.length;
    const dialled = await this.dial(new AbortController().signal);
    await this.rig.until(() => this.accepted.length > known);
    const accepted = this.accepted[known];
    if (accepted === undefined) throw new Error("nothing was accepted");
    return [dialled, accepted];
  }

  async dial(signal: AbortSignal): Promise<Socket> {
    const socket = await this.rig.settle(this.rig.dialer().dial(signal, { maxFrameBytes: MAX }));
    this.#dialled.push(socket);
    return socket;
  }

  /** One connection with recorders at both ends. */
  async pair(): Promise<Pair> {
    const [near, far] = await this.connect();
    const [nearSide, farSide] = [new Recorder(), new Recorder()];
    near.open(nearSide);
    far.open(farSide);
    return { near, far, nearSide, farSide };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of [...this.#dialled, ...this.accepted]) socket.close();
    await this.rig.quiet();
    await this.rig[Symbol.asyncDispose]();
    if (this.reports.length > 0) throw new AggregateError(this.reports, "the listener reported trouble");
  }
}

/** Sets up a stage of its own for each test. */
export type NewStage = () => Promise<Stage>;
