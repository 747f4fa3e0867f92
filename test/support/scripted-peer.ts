/** A peer that says exactly what a test tells it to: for everything an honest Worker or JobRunner would never send. */
import { ANY_CODEC, FrameWriter, readFrame } from "../../src/core/protocol/codec.ts";
import type { HelloMessage, JobMessage, Message, WelcomeMessage } from "../../src/core/protocol/message.ts";
import type { CloseReason, Socket } from "../../src/core/transport/socket.ts";

export class ScriptedPeer {
  readonly received: Message[] = [];
  frames = 0;
  closed: CloseReason | undefined;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.open({
      frame: (bytes, attachments) => {
        this.frames++;
        readFrame(bytes, ANY_CODEC.decode, (message) => this.received.push(message), attachments);
      },
      closed: (reason) => {
        this.closed = reason;
      },
    });
  }

  /** All messages in one frame. */
  send(...messages: readonly Message[]): void {
    const writer = new FrameWriter();
    writer.leaveHoles();
    for (const message of messages) writer.append(message);
    const attachments = writer.attached?.flatMap(({ holes }) => holes.map(({ content }) => content.buffer));
    this.#socket.send(writer.take(), attachments);
  }

  sendBytes(...bytes: readonly number[]): void {
    this.#socket.send(Uint8Array.from(bytes));
  }

  /** Messages, and beside them whatever the test says instead of their buffers. */
  sendBeside(attachments: readonly ArrayBufferLike[] | undefined, ...messages: readonly Message[]): void {
    const writer = new FrameWriter();
    writer.leaveHoles();
    for (const message of messages) writer.append(message);
    this.#socket.send(writer.take(), attachments);
  }

  close(): void {
    this.#socket.close();
  }

  all<T extends Message["type"]>(type: T): Extract<Message, { type: T }>[] {
    return this.received.filter((message): message is Extract<Message, { type: T }> => message.type === type);
  }

  last<T extends Message["type"]>(type: T): Extract<Message, { type: T }> {
    const message = this.all(type).at(-1);
    if (message === undefined) throw new Error(`no ${type} among ${this.received.map((got) => got.type).join(" ")}`);
    return message;
  }

  /** The data of every job received, in order. */
  get jobs(): (string | Uint8Array)[] {
    return this.all("JOB").map((message: JobMessage) => message.job.data);
  }

  /** Answers the latest job, or the given one. */
  answer(value: string, job: JobMessage = this.last("JOB")): void {
    this.send({ type: "JOBRES", attemptId: job.attemptId, value });
  }
}

export function hello(over: Partial<HelloMessage> = {}): HelloMessage {
  return {
    type: "HELLO",
    version: 1,
    identity: "scripted",
    instance: "i1",
    capacity: 1,
    blocking: false,
    served: 0,
    labels: [],
    features: 0,
    maxPayload: 1_048_576,
    isRelay: false,
    ...over,
  };
}

export function welcome(over: Partial<WelcomeMessage> = {}): WelcomeMessage {
  return {
    type: "WELCOME",
    version: 1,
    sessionId: "s1",
    runnerId: "r1",
    heartbeat: 5_000,
    maxPayload: 1_000_000,
    features: 0,
    ...over,
  };
}
