/** Integers of any size as big-endian bytes, within a bound: what is larger would take time out of proportion. */
import { MAX_BIGINT_BYTES } from "./cbor-profile.ts";

const MAX_BITS = 8 * MAX_BIGINT_BYTES;

/** Returns the bytes of an integer of at least 0 without leading zeros, or undefined when they are more than 1,024. */
export function bigintBytes(value: bigint): Uint8Array | undefined {
  if (BigInt.asUintN(MAX_BITS, value) !== value) return undefined;
  if (value === 0n) return new Uint8Array();
  const hex = value.toString(16);
  const digits = hex.length % 2 === 0 ? hex : `0${hex}`;
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Returns the integer of at most 1,024 big-endian bytes. */
export function bigintOf(bytes: Uint8Array): bigint {
  let digits = "0x0";
  for (const byte of bytes) digits += byte.toString(16).padStart(2, "0");
  return BigInt(digits);
}
