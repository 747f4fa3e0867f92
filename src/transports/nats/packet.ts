/**
 * One message of NATS: kind (1 byte), sequence number (4), number of packets taken (4), body. The bytes are in docs/nats.md.
 * Packets are numbered for each direction of a socket; an ACK bears the number of the packet that comes next, so that a lost
 * packet shows though nothing follows it. Browser-safe.
 */

/** What a packet is. */
export const PACKET = {
  /** A frame. */
  whole: 1,
  /** The length of a frame (4 bytes) and its first bytes. */
  first: 2,
  /** More bytes of that frame. */
  next: 3,
  /** The end: one byte says why. */
  close: 4,
  /** Nothing but the two numbers. */
  ack: 5,
  /** There is no such socket, or it cannot go on. */
  reset: 6,
  /** The answer to a dial: JSON. */
  accept: 7,
  /** The other answer: JSON. */
  refuse: 8,
} as const;

/** Bytes before the body. */
export const PACKET_HEAD_BYTES = 9;

/** What a packet is counted as besides its frame's bytes: its head, its subjects and the server's own record of it. */
export const PACKET_COST = 192;

/** A packet, read. */
export interface Packet {
  readonly kind: number;
  /** Its number, from 0. */
  readonly sequence: number;
  /** How many packets of the other direction were taken, modulo 2^32. */
  readonly taken: number;
  /** A plain view of the message's bytes. */
  readonly body: Uint8Array<ArrayBuffer>;
}

const EMPTY = new Uint8Array(0);

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Four bytes as a number, or 0 beyond the end. */
export function readUint32(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** Writes a packet. `frameBytes`: the length of the whole frame, for its first piece. */
export function encodePacket(
  kind: number,
  sequence: number,
  taken: number,
  body: Uint8Array = EMPTY,
  frameBytes?: number,
): Uint8Array<ArrayBuffer> {
  const head = frameBytes === undefined ? PACKET_HEAD_BYTES : PACKET_HEAD_BYTES + 4;
  const bytes = new Uint8Array(head + body.byteLength);
  bytes[0] = kind;
  writeUint32(bytes, 1, sequence);
  writeUint32(bytes, 5, taken);
  if (frameBytes !== undefined) writeUint32(bytes, PACKET_HEAD_BYTES, frameBytes);
  bytes.set(body, head);
  return bytes;
}

/** Reads a packet; `undefined` when the bytes are none. */
export function decodePacket(data: Uint8Array): Packet | undefined {
  const kind = data[0] ?? 0;
  if (data.byteLength < PACKET_HEAD_BYTES || kind < PACKET.whole || kind > PACKET.refuse) return undefined;
  return {
    kind,
    sequence: readUint32(data, 1),
    taken: readUint32(data, 5),
    body: plainView(data, PACKET_HEAD_BYTES),
  };
}

/** The client hands out Buffers on Node. Their class would reach handlers; what is read of it here is only the memory. */
function plainView(data: Uint8Array, from: number): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = data;
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset + from, byteLength - from)
    : new Uint8Array(data.subarray(from));
}
