/** A listener whose connections a test makes. */
import type { Listener } from "../../../src/core/transport/listener.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";

/** Accepts what `accept` is called with, as any principal. */
export class Doorway implements Listener {
  readonly address: string = "doorway";
  accept: ((socket: Socket) => void) | undefined;

  start(accept: (socket: Socket) => void): Promise<void> {
    this.accept = accept;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
