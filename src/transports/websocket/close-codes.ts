/**
 * What a WebSocket's close codes mean here, in both directions. What is sent comes from this table and nowhere else, so
 * that nothing of this process leaks into a close frame.
 */
import type { CloseCode, CloseReason } from "../../core/transport/socket.ts";

/** What a close frame says. */
interface CloseFrame {
  /** A code of RFC 6455, for a server or Node. */
  readonly standard: number;
  /** A code that the W3C API allows: 1000, or 3000 to 4999. */
  readonly portable: number;
  /** At most 123 bytes. */
  readonly text: string;
}

const SENT: Readonly<Record<CloseCode, readonly [standard: number, text: string]>> = {
  local: [1000, "closed"],
  peer: [1000, "closed"],
  error: [1011, "internal error"],
  "too-large": [1009, "frame too large"],
  "too-slow": [1013, "frame too slow"],
  violation: [1003, "binary frames only"],
};

/** The peer sent text, or a Blob that was not asked for. */
export const NOT_BINARY: CloseReason = { code: "violation", message: "a message that is not binary" };

/** The peer sent more WebSocket pings and pongs than are answered: the reason, and the close frame that goes with it. */
export const TOO_MANY_PINGS: CloseReason = { code: "violation", message: "too many WebSocket pings" };
export const TOO_MANY_PINGS_FRAME: Pick<CloseFrame, "standard" | "text"> = { standard: 1008, text: "too many pings" };

/** What to put into a close frame for a reason of ours. */
export function closeFrame(code: CloseCode): CloseFrame {
  const [standard, text] = SENT[code];
  return { standard, portable: standard === 1000 ? standard : standard + 3000, text };
}

/** What a WebSocket that closed with this code means. A peer's words are left out: its code says it all. */
export function closeReason(code: number): CloseReason {
  switch (code) {
    case 1006:
      return { code: "error", message: "the connection was lost" };
    case 1009:
    case 4009:
      return { code: "too-large", message: "the other end refused a frame as too large" };
    case 1013:
    case 4013:
      return { code: "peer", message: "the other end gave up a frame that came too slowly" };
    case 1003:
    case 4003:
    case 1008:
    case 4008:
      return { code: "peer", message: `the other end refused what it was sent (${code})` };
    default:
      return { code: "peer", message: `closed by the other end (${code})` };
  }
}
