/**
 * Echoes as bytes: any number of them in one message, each a number, a length and a text or bytes. As little as a wire can
 * be. Echoes are given as a flat list, number, payload, number, payload, as everywhere among the floors.
 */

const HEAD = 8;
const BYTES = 0x8000_0000;

/**
 * @param {readonly (number | string | Uint8Array)[]} echoes
 * @param {(size: number) => Buffer} [allocate]
 * @returns {Buffer}
 */
export function writeSlab(echoes, allocate = (bytes) => Buffer.allocUnsafe(bytes)) {
  let size = 0;
  for (let i = 1; i < echoes.length; i += 2) size += HEAD + echoes[i].length;
  const slab = allocate(size);
  let at = 0;
  for (let i = 0; i < echoes.length; i += 2) {
    const payload = echoes[i + 1];
    const isText = typeof payload === "string";
    slab.writeUInt32BE(echoes[i], at);
    slab.writeUInt32BE(isText ? payload.length : payload.length + BYTES, at + 4);
    at += HEAD;
    if (isText) slab.latin1Write(payload, at);
    else slab.set(payload, at);
    at += payload.length;
  }
  return slab;
}

/**
 * A buffer of its own memory, which can change hands.
 * @param {number} bytes
 */
export function ownMemory(bytes) {
  return Buffer.allocUnsafeSlow(bytes);
}

/**
 * @param {Buffer} slab
 * @param {(id: number, payload: string | Uint8Array) => void} visit - Bytes are a view of the slab.
 */
export function readSlab(slab, visit) {
  for (let at = 0; at < slab.length;) {
    const length = slab.readUInt32BE(at + 4);
    const isText = length < BYTES;
    const from = at + HEAD;
    const end = from + (isText ? length : length - BYTES);
    visit(slab.readUInt32BE(at), isText ? slab.latin1Slice(from, end) : slab.subarray(from, end));
    at = end;
  }
}
