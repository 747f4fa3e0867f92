/** A listener that counts the bytes of frames at its end, for tests of what is copied and what is handed over. */
import type { Listener, Socket } from "../../src/index.ts";

export interface FrameCounts {
  sent: number;
  received: number;
  /** Buffers that went or came beside frames. */
  attachments: number;
}

function counted(socket: Socket, counts: FrameCounts): Socket {
  const send = socket.send.bind(socket);
  const open = socket.open.bind(socket);
  socket.send = (frame, attachments) => {
    counts.sent += frame.byteLength;
    counts.attachments += attachments?.length ?? 0;
    return send(frame, attachments);
  };
  socket.open = (receiver) => {
    open({
      frame: (bytes, attachments) => {
        counts.received += bytes.byteLength;
        counts.attachments += attachments?.length ?? 0;
        receiver.frame(bytes, attachments);
      },
      progress: () => receiver.progress?.(),
      closed: (reason) => receiver.closed(reason),
    });
  };
  return socket;
}

export function countFrames(inner: Listener): { readonly listener: Listener; readonly counts: FrameCounts } {
  const counts: FrameCounts = { sent: 0, received: 0, attachments: 0 };
  const taken = new WeakMap<object, (socket: Socket) => void>();
  const listener: Listener = {
    get address() {
      return inner.address;
    },
    start: (accept, context) => {
      const take = taken.get(accept) ?? ((socket: Socket): void => accept(counted(socket, counts)));
      taken.set(accept, take);
      return inner.start(take, context);
    },
    stop: () => inner.stop(),
  };
  return { listener, counts };
}
