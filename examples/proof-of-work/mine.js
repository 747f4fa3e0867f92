/**
 * Proof of work: finds the smallest number that, put behind a word, gives a SHA-256 hash with so many leading zero bits.
 * There is no way but trying, about 2^13 times a word, which is what makes it a job for every core there is. The answer
 * depends on the word alone, so that a second run, on however many workers, prints the same.
 */
import { createHash } from "node:crypto";

const LEADING_ZERO_BITS = 13;

/** Whether the hash begins with enough zero bits. */
function isRare(hash) {
  return hash.readUInt32BE(0) >>> (32 - LEADING_ZERO_BITS) === 0;
}

/** @returns {string} the word, its number and the hash they give */
export default function mine(job) {
  const word = String(job.data);
  for (let nonce = 0; ; nonce++) {
    const hash = createHash("sha256").update(`${word}:${nonce}`).digest();
    if (isRare(hash)) return `${word} ${nonce} ${hash.toString("hex")}`;
  }
}
