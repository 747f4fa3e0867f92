/**
 * The fixture of the conformance cases of sockets: a started listener, and connections with a recorder at each end. Knows no
 * case.
 */
import type { ListenerContext, Socket } from "../../index.ts";
import { expectAtMost, expectEqual, expectTrue } from "./expectation.ts";
import { Recorder } from "./recorder.ts";
import type { Harness, HarnessFactory } from "./harness.ts";
import { expectNoTimers } from "./test-time.ts";

/** The frame limit of every socket in the suite, in bytes. */
export const MAX: number = 64 * 1024;

/** One connection, with recorders at both ends: `near` dialled, `far` was accepted. */
export interface Pair {
  /** The end that dialled. */
  readonly near: Socket;
  /** The end the listener accepted. */
  readonly far: Socket;
  /** Records what the dialler's end receives. */
  readonly nearSide: Recorder;
  /** Records what the listener's end receives. */
  readonly farSide: Recorder;
}

/** A harness with a started listener, and the sockets it opened. */
export class SocketFixture {
  /** The transport. */
  readonly harness: Harness;
  /** What the listener accepted, in that order. */
  readonly accepted: Socket[] = [];
  /** What the listener reported; nothing, if all is well. */
  readonly reports: Error[] = [];
  /** What the listener is started with. */
  readonly context: ListenerContext = { maxFrameBytes: MAX, report: (error) => void this.reports.push(error) };
  /** The taker the listener is started for. */
  readonly accept = (socket: Socket): void => void this.accepted.push(socket);
  readonly #dialled: Socket[] = [];

  /** @param harness - The transport. Its listener is not started yet. */
  constructor(harness: Harness) {
    this.harness = harness;
  }

  /** Starts the listener, or starts it again. */
  start(): Promise<void> {
    return this.harness.settle(this.harness.listener.start(this.accept, this.context));
  }

  /** Stops the listener. */
  stop(): Promise<void> {
    return this.harness.settle(this.harness.listener.stop());
  }

  /** Opens one socket, which is closed when the case is over. */
  async dial(signal: AbortSignal): Promise<Socket> {
    const socket = await this.harness.settle(this.harness.dialer().dial(signal, { maxFrameBytes: MAX }));
    this.#dialled.push(socket);
    return socket;
  }

  /** One connection: the dialler's end and the listener's, neither opened. */
  async connect(signal: AbortSignal = new AbortController().signal): Promise<[Socket, Socket]> {
    const known = this.accepted.length;
    const dialled = await this.dial(signal);
    await this.#until(
      () => this.accepted.length > known,
      () => "the listener to accept what was dialled",
    );
    const accepted = this.accepted[known];
    if (accepted === undefined) throw new Error("nothing was accepted");
    return [dialled, accepted];
  }

  /** One connection with recorders at both ends. */
  async pair(): Promise<Pair> {
    const [near, far] = await this.connect();
    const [nearSide, farSide] = [new Recorder("the dialler's end"), new Recorder("the listener's end")];
    near.open(nearSide);
    far.open(farSide);
    return { near, far, nearSide, farSide };
  }

  /** Waits until so many frames have arrived, and checks that no more have. */
  async arrived(side: Recorder, count: number): Promise<void> {
    await this.#until(
      () => side.frames.length >= count,
      () => `${count} frames; seen at ${side.story()}`,
    );
    expectEqual(side.frames.length, count, `the number of frames at ${side.name}`);
  }

  /** Waits until each of these has seen a close, and checks that none has seen two. */
  async closed(...sides: readonly Recorder[]): Promise<void> {
    await this.#until(
      () => sides.every((side) => side.closes.length > 0),
      () =>
        `a close; seen at ${sides
          .filter((side) => side.closes.length === 0)
          .map((side) => side.story())
          .join("; ")}`,
    );
    for (const side of sides) expectAtMost(side.closes.length, 1, `how often ${side.name} was told that it is closed`);
  }

  /** Waits until nothing is left that the socket has taken and not passed on. */
  emptied(socket: Socket): Promise<void> {
    return this.#until(
      () => socket.bufferedBytes === 0,
      () => `bufferedBytes to go back to 0; it is ${socket.bufferedBytes}`,
    );
  }

  async #until(condition: () => boolean, expected: () => string): Promise<void> {
    try {
      await this.harness.until(condition);
    } catch (cause) {
      throw new Error(`waited in vain for ${expected()}`, { cause });
    }
  }

  async #tearDown(): Promise<void> {
    try {
      for (const socket of [...this.#dialled, ...this.accepted]) socket.close();
      await this.harness.quiet();
    } finally {
      await this.harness[Symbol.asyncDispose]();
    }
  }

  /** Plays one case on a fixture of its own. An error of the case goes before one of the tear-down. */
  static async play(harness: HarnessFactory, check: (fixture: SocketFixture) => Promise<void>): Promise<void> {
    const fixture = new SocketFixture(await harness());
    try {
      await fixture.start();
      await check(fixture);
    } catch (error) {
      await fixture.#tearDown().catch(() => undefined);
      throw error;
    }
    await fixture.#tearDown();
    expectNoTimers(fixture.harness.clock);
    const reports = fixture.reports.map(({ message }) => message).join("; ");
    expectTrue(reports === "", `a listener without trouble to report; it reported: ${reports}`);
  }
}

/** A case of sockets before it has a transport. */
export interface SocketCase {
  /** What must hold. */
  readonly name: string;
  /** Throws where it does not. */
  readonly check: (fixture: SocketFixture) => Promise<void>;
}
