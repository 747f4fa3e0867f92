/** What the jobs carry: 16 bytes of text, or more as bytes. The same for everybody who runs in one race. */

/** @typedef {string | Uint8Array} Payload */

/**
 * A size by which a race is known.
 * @typedef {object} Size
 * @property {string} name - As on the command line.
 * @property {string} title
 * @property {number} bytes
 * @property {"text" | "bytes"} kind
 * @property {number} inFlight - How many are in flight when the rate is measured.
 */

/** @type {readonly Size[]} */
export const SIZES = [
  { name: "16", title: "16 bytes", bytes: 16, kind: "text", inFlight: 256 },
  { name: "1k", title: "1 KiB", bytes: 1024, kind: "bytes", inFlight: 256 },
  { name: "1m", title: "1 MiB", bytes: 1024 * 1024, kind: "bytes", inFlight: 16 },
];

/**
 * @param {{ kind: "text" | "bytes", bytes: number }} size
 * @returns {Payload}
 */
export function payloadOf({ kind, bytes }) {
  const text = "sixteen bytes ok".repeat(Math.ceil(bytes / 16)).slice(0, bytes);
  return kind === "text" ? text : Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/**
 * Fails unless `answer` is an echo of `payload`, kind and content.
 * @param {unknown} answer
 * @param {Payload} payload
 */
export function checkEcho(answer, payload) {
  if (typeof payload === "string") {
    if (answer !== payload) throw new Error(`expected the echo of ${payload}, got ${String(answer)}`);
    return;
  }
  if (!(answer instanceof Uint8Array)) throw new Error(`expected bytes, got ${typeof answer}`);
  if (Buffer.compare(answer, payload) !== 0) throw new Error(`expected the echo of ${payload.length} bytes`);
}
