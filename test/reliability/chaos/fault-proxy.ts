/** A TCP proxy in front of a runner that misbehaves when told to. It knows bytes and connections, and nothing of WebSocket. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { CALM, type Direction, FaultyWire, type Weather } from "./faulty-wire.ts";

/** A running proxy. */
export class FaultProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #wires = new Set<FaultyWire>();
  #weather: Weather = CALM;
  #isClosing = false;

  private constructor(target: number, fraction: () => number) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
      this.#accept(client, target, fraction),
    );
  }

  /**
   * Starts one.
   * @param target - The port of 127.0.0.1 it leads to.
   * @param fraction - Chance: a number from 0, up to 1.
   */
  static async start(target: number, fraction: () => number): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, fraction);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  /** Where to dial instead of the runner. */
  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** How connections, those there are and those to come, treat what they carry. */
  set weather(weather: Weather) {
    this.#weather = weather;
  }

  /** Cuts all connections. Returns how many were whole until now. */
  cut(how: "fin" | "rst"): number {
    return this.#break((wire) => wire.cut(how));
  }

  /** Lets all connections swallow what goes in these directions, for good; new ones are whole. Returns how many were until now. */
  halfOpen(directions: readonly Direction[]): number {
    return this.#break((wire) => wire.halfOpen(directions));
  }

  /** Closes it and all that goes through it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true; // connections that the system has taken in meanwhile are accepted yet
    const wires = [...this.#wires];
    for (const wire of wires) wire.destroy();
    await new Promise((resolve) => void this.#server.close(resolve));
    await Promise.all(wires.map(({ closed }) => closed));
  }

  #break(how: (wire: FaultyWire) => void): number {
    const whole = [...this.#wires].filter((wire) => !wire.isBroken);
    for (const wire of whole) how(wire);
    return whole.length;
  }

  #accept(client: Socket, target: number, fraction: () => number): void {
    if (this.#isClosing) return void client.destroy();
    const server = connect({ port: target, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const wire = new FaultyWire(client, server, () => this.#weather, fraction);
    this.#wires.add(wire);
    void wire.closed.then(() => this.#wires.delete(wire));
  }
}
