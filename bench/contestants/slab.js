/** Echoes as bytes: any number of them in one message, each a number, a length and a text. As little as a wire can be. */

const HEAD = 8;

/**
 * @typedef {object} Echo
 * @property {number} id
 * @property {string} text
 */

/**
 * @param {readonly Echo[]} echoes
 * @returns {Buffer}
 */
export function writeSlab(echoes) {
  let bytes = 0;
  for (const { text } of echoes) bytes += HEAD + text.length;
  const slab = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { id, text } of echoes) {
    slab.writeUInt32BE(id, at);
    slab.writeUInt32BE(text.length, at + 4);
    at += HEAD + slab.latin1Write(text, at + HEAD);
  }
  return slab;
}

/**
 * @param {Buffer} slab
 * @param {(id: number, text: string) => void} visit
 */
export function readSlab(slab, visit) {
  for (let at = 0; at < slab.length;) {
    const end = at + HEAD + slab.readUInt32BE(at + 4);
    visit(slab.readUInt32BE(at), slab.latin1Slice(at + HEAD, end));
    at = end;
  }
}
