/** A listener that keeps the sockets it accepts, for tests that count their bytes or cut them. */
import type { Listener, Socket } from "../../src/index.ts";

export function recordSockets(inner: Listener): { readonly listener: Listener; readonly sockets: readonly Socket[] } {
  const sockets: Socket[] = [];
  const listener: Listener = {
    get address() {
      return inner.address;
    },
    start: (accept, context) =>
      inner.start((socket) => {
        sockets.push(socket);
        accept(socket);
      }, context),
    stop: () => inner.stop(),
  };
  return { listener, sockets };
}
