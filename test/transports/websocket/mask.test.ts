/** With what the dialer of Node masks: the bytes that leave. That the listener reads them is in the transport's conformance cases. */
import { createHash } from "node:crypto";
import { Agent, createServer, type Server } from "node:http";
import { Agent as TlsAgent, createServer as createTlsServer } from "node:https";
import { connect, type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { dialWebSocket, type MaskChoice, type NodeDialOptions } from "../../../src/transports/websocket/node/index.ts";
import { CERTIFICATE, KEY } from "./node/certificate.ts";

const SALT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const never = new AbortController().signal;

/** A masked frame of up to 125 bytes: its key, and its payload as it left. */
interface Seen {
  readonly key: number[];
  readonly payload: number[];
}

/** A server that upgrades and reads what comes as bytes. */
class Eavesdropper {
  readonly #server: Server;
  readonly #sockets: Duplex[] = [];
  #received = Buffer.alloc(0);
  #changed: () => void = () => undefined;

  constructor(secure: boolean) {
    this.#server = secure ? createTlsServer({ cert: CERTIFICATE, key: KEY }) : createServer();
    this.#server.on("upgrade", (request, socket: Duplex) => {
      this.#sockets.push(socket);
      const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${SALT}`).digest("base64");
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          `Sec-WebSocket-Protocol: powerhose.v1\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      socket.on("error", () => undefined);
      socket.on("data", (chunk: Buffer) => {
        this.#received = Buffer.concat([this.#received, chunk]);
        this.#changed();
      });
    });
  }

  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  /** The next frame. */
  async frame(): Promise<Seen> {
    while (this.#received.length < 6 || this.#received.length < 6 + this.#length) {
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
    const end = 6 + this.#length;
    const bytes = [...this.#received.subarray(0, end)];
    this.#received = this.#received.subarray(end);
    return { key: bytes.slice(2, 6), payload: bytes.slice(6) };
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => void this.#server.close(() => resolve()));
  }

  get #length(): number {
    const length = this.#received[1] ?? 0;
    if (length < 0x80) throw new Error("a frame that is not masked at all");
    return length & 0x7f;
  }
}

const opened: Eavesdropper[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

/** The mark that tells how an address is reached: directly, or by way of an agent that leads to the server. */
type Way = "direct" | "agent";

const ZERO = [0, 0, 0, 0];
const PAYLOAD = [1, 2, 3, 4, 5];

/** What leaves for three frames of {@link PAYLOAD}; names of other machines are resolved to the server by the agent. */
async function leaves(scheme: "ws" | "wss", host: string, way: Way, mask?: MaskChoice): Promise<Seen[]> {
  const secure = scheme === "wss";
  const server = new Eavesdropper(secure);
  opened.push(server);
  const port = await server.listen();
  const agent = secure ? new TlsAgent() : new Agent();
  Object.assign(agent, {
    createConnection: () =>
      secure ? connectTls(port, "127.0.0.1", { ca: CERTIFICATE, servername: "localhost" }) : connect(port, "127.0.0.1"),
  });
  const options: NodeDialOptions = {
    allowInsecure: true,
    ...(secure ? { ca: CERTIFICATE } : {}),
    ...(mask === undefined ? {} : { mask }),
    ...(way === "agent" ? { agent } : {}),
  };
  const socket = await dialWebSocket(`${scheme}://${host}:${port}/`, options).dial(never, { maxFrameBytes: 1_024 });
  const frames: Seen[] = [];
  for (let i = 0; i < 3; i++) {
    socket.send(Uint8Array.from(PAYLOAD));
    frames.push(await server.frame());
  }
  const closed = new Promise((resolve) => socket.open({ frame: () => undefined, closed: resolve }));
  socket.close();
  await closed;
  return frames;
}

function unmasked({ key, payload }: Seen): number[] {
  return payload.map((byte, i) => byte ^ (key[i % 4] ?? 0));
}

describe("frames leave as they are, under a key of zero,", () => {
  it.each<[string, "ws" | "wss", string, Way, MaskChoice?]>([
    ["to loopback by address", "ws", "127.0.0.1", "direct"],
    ["to loopback by name", "ws", "localhost", "direct"],
    ["over TLS", "wss", "localhost", "direct"],
    ["over TLS, through whatever an agent leads to", "wss", "worker.example", "agent", "auto"],
    ["when told so", "ws", "worker.example", "agent", "zero"],
  ])("%s", async (_what, ...way) => {
    for (const { key, payload } of await leaves(...way))
      expect({ key, payload }).toEqual({ key: ZERO, payload: PAYLOAD });
  });
});

describe("frames are masked, each with another key,", () => {
  it.each<[string, "ws" | "wss", string, Way, MaskChoice?]>([
    ["to another machine in the clear", "ws", "worker.example", "agent"],
    ["to loopback through an agent, which may be a proxy's", "ws", "127.0.0.1", "agent", "auto"],
    ["to loopback when told so", "ws", "127.0.0.1", "direct", "random"],
    ["over TLS when told so", "wss", "localhost", "direct", "random"],
  ])("%s", async (_what, ...way) => {
    const frames = await leaves(...way);
    expect(frames.map(unmasked)).toEqual([PAYLOAD, PAYLOAD, PAYLOAD]);
    const keys = new Set(frames.map(({ key }) => key.join()));
    // One key in four thousand million is zero by chance, and as many pairs are alike.
    expect(keys.size).toBe(3);
    expect(keys).not.toContain(ZERO.join());
  });
});

it("a mask that is none of the three is refused", () => {
  for (const mask of ["none", "", true, null]) {
    expect(() => dialWebSocket("ws://localhost/", { mask } as NodeDialOptions)).toThrow("`mask`");
    expect(() => dialWebSocket("ws://localhost/", { mask } as NodeDialOptions)).toThrow(TypeError);
  }
});
