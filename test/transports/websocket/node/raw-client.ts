/** A WebSocket client without manners: bytes on a TCP connection, for what no library would send. */
import { connect, type Socket } from "node:net";

/** The key of RFC 6455's own example, and the answer to it. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const ACCEPT: string = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** What to ask for besides the ordinary; `undefined` takes a header away. */
export type Headers = Readonly<Record<string, string | undefined>>;

/** The head of an upgrade request. */
export function upgrade(path: string, headers: Headers = {}): string {
  const all: Headers = {
    Host: "localhost",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Protocol": "powerhose.v1",
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  return [`GET ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n");
}

/** A masked client frame; the mask is zero, which leaves the payload as it is. */
export function frame(firstByte: number, payload: Uint8Array, claimed: number = payload.byteLength): Uint8Array {
  const head = Buffer.alloc(14);
  head[0] = firstByte;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(claimed), 2);
  return Buffer.concat([head, payload]);
}

/** One TCP connection that collects what it is sent. */
export class RawClient {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #changed: () => void = () => undefined;

  /** @param from - The loopback address to connect from: each of 127.0.0.0/8 is this machine's. */
  constructor(port: number, from: string = "127.0.0.1") {
    this.#socket = connect({ port, host: "127.0.0.1", localAddress: from });
    this.#socket.on("data", (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#changed();
    });
    // Cut off or closed in order: the server has let go either way.
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.#ended = true;
      this.#changed();
    });
  }

  /** All that came so far, one character a byte. */
  get text(): string {
    return this.#received.toString("latin1");
  }

  /** What came behind the head of the answer. */
  get frames(): Buffer {
    return this.#received.subarray(this.#received.indexOf("\r\n\r\n") + 4);
  }

  get ended(): boolean {
    return this.#ended;
  }

  send(data: string | Uint8Array): this {
    this.#socket.write(data);
    return this;
  }

  /** Reads no more, as a peer does that is stuck. */
  pause(): void {
    this.#socket.pause();
  }

  /** Waits until the server has let go of the connection. */
  async end(): Promise<string> {
    while (!this.#ended) await this.#change();
    return this.text;
  }

  /** Waits for the head of the answer. */
  async head(): Promise<string> {
    while (!this.text.includes("\r\n\r\n")) {
      if (this.#ended) throw new Error(`closed before an answer, after ${JSON.stringify(this.text)}`);
      await this.#change();
    }
    return this.text.slice(0, this.text.indexOf("\r\n\r\n"));
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve;
    });
  }
}

/** The status of an answer's head. */
export function status(head: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
}

/** Sends one upgrade request and waits for the head of the answer; the connection is let go of. */
export async function ask(
  port: number,
  path: string = "/",
  headers: Headers = {},
  from: string = "127.0.0.1",
): Promise<string> {
  using client = new RawClient(port, from);
  return await client.send(upgrade(path, headers)).head();
}
