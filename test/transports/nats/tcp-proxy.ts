/** A line between two programs that can be stopped and cut. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Passes connections on to one address. */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #lines: (readonly [near: Socket, far: Socket])[] = [];
  #isCut = false;

  private constructor(target: string) {
    const [host = "", port = ""] = target.split(":");
    this.#server = createServer((near) => {
      if (this.#isCut) return void near.destroy();
      const far = connect(Number(port), host);
      this.#lines.push([near, far]);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on("data", (bytes) => void to.write(bytes));
        from.on("error", () => undefined);
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  static async to(target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** Where it listens. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Lets nothing through to the programs that connected, as if they did not read. */
  stopReaders(): void {
    for (const [, far] of this.#lines) far.pause();
  }

  /** Lets it through again. */
  resumeReaders(): void {
    for (const [, far] of this.#lines) far.resume();
  }

  /** Ends all connections, and those to come. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }
}
