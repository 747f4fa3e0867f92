/** The fault proxy does what the chaos relies on: its faults are real, and without one it is not there. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { FaultProxy } from "./chaos/fault-proxy.ts";
import { CALM, type Direction } from "./chaos/faulty-wire.ts";
import { eventually } from "./chaos/waiting.ts";

/** One end of a connection, and what became of it. */
class End {
  readonly socket: Socket;
  text = "";
  fate: "open" | "ended" | "reset" = "open";

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1").on("data", (text: string) => (this.text += text));
    socket.on("end", () => (this.fate = "ended"));
    socket.on("error", () => (this.fate = "reset"));
  }
}

/** A client connected to a server by way of a proxy. */
class ProxyFixture implements AsyncDisposable {
  readonly listener: Server;
  readonly proxy: FaultProxy;
  readonly client: End;
  readonly server: End;

  private constructor(listener: Server, proxy: FaultProxy, client: End, accepted: End) {
    this.listener = listener;
    this.proxy = proxy;
    this.client = client;
    this.server = accepted;
  }

  static async open(): Promise<ProxyFixture> {
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const accepted = new Promise<Socket>((resolve) => void server.once("connection", resolve));
    const proxy = await FaultProxy.start((server.address() as AddressInfo).port, () => 0.5);
    const client = connect(Number(new URL(proxy.url).port), "127.0.0.1");
    return new ProxyFixture(server, proxy, new End(client), new End(await accepted));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.socket.destroy();
    this.server.socket.destroy();
    await this.proxy[Symbol.asyncDispose]();
    await new Promise((resolve) => void this.listener.close(resolve));
  }
}

/** Sends pieces from one end and resolves with the ms until all have arrived at the other, in order. */
async function send(from: End, to: End, pieces: readonly string[]): Promise<number> {
  const all = to.text + pieces.join("");
  const began = performance.now();
  for (const piece of pieces) {
    from.socket.write(piece);
    await new Promise((resolve) => void setImmediate(resolve));
  }
  expect(await eventually(() => to.text.length >= all.length)).toBe(true);
  expect(to.text).toBe(all);
  return performance.now() - began;
}

const letters = "abcdefghijklmnopqrstuvwxyz".split("");

describe("the fault proxy", () => {
  it("is not there when nothing is asked of it", async () => {
    await using fixture = await ProxyFixture.open();
    await send(fixture.client, fixture.server, letters);
    await send(fixture.server, fixture.client, [...letters, "x".repeat(1_000_000)]);
    fixture.client.socket.end("last words");
    expect(await eventually(() => fixture.server.fate === "ended" && fixture.client.fate === "ended")).toBe(true);
    expect(fixture.server.text).toBe(`${letters.join("")}last words`);
  });

  it("delays, and keeps the order", async () => {
    await using fixture = await ProxyFixture.open();
    fixture.proxy.weather = { ...CALM, delay: [100, 200] };
    expect(await send(fixture.client, fixture.server, letters)).toBeGreaterThan(145);
    expect(await send(fixture.server, fixture.client, letters)).toBeGreaterThan(145);
  });

  it("throttles", async () => {
    await using fixture = await ProxyFixture.open();
    fixture.proxy.weather = { ...CALM, rate: 1_000_000 };
    expect(await send(fixture.client, fixture.server, ["x".repeat(200_000)])).toBeGreaterThan(190);
  });

  it.each([
    ["fin", "ended"],
    ["rst", "reset"],
  ] as const)("cuts by %s, which both ends see", async (how, fate) => {
    await using fixture = await ProxyFixture.open();
    await send(fixture.client, fixture.server, letters);
    expect([fixture.proxy.cut(how), fixture.proxy.cut(how)]).toEqual([1, 0]);
    expect(await eventually(() => fixture.client.fate === fate && fixture.server.fate === fate)).toBe(true);
  });

  it.each<[Direction]>([["up"], ["down"]])("swallows what goes %s, the end too, and carries the rest", async (lost) => {
    await using fixture = await ProxyFixture.open();
    const [from, to] = lost === "up" ? [fixture.client, fixture.server] : [fixture.server, fixture.client];
    await send(fixture.client, fixture.server, letters);
    await send(fixture.server, fixture.client, letters);
    fixture.proxy.halfOpen([lost]);
    from.socket.end("never heard");
    await send(to, from, letters);
    expect(to).toMatchObject({ text: letters.join(""), fate: "open" });
  });

  it("carries new connections as if nothing had been", async () => {
    await using fixture = await ProxyFixture.open();
    fixture.proxy.halfOpen(["up", "down"]);
    const accepted = new Promise<Socket>((resolve) => void fixture.listener.once("connection", resolve));
    const second = new End(connect(Number(new URL(fixture.proxy.url).port), "127.0.0.1"));
    const other = new End(await accepted);
    await send(second, other, letters);
    second.socket.destroy();
    other.socket.destroy();
  });
});
