/** Frames put together by hand, for what the writer of frames would refuse. */

/** A head of that type, and what comes behind it; its length is right. */
export function crudeFrame(type: number, before: readonly number[], rest: string | Uint8Array): Uint8Array {
  const body = Buffer.concat([Uint8Array.from(before), typeof rest === "string" ? Buffer.from(rest) : rest]);
  const head = Buffer.alloc(5);
  head[0] = type;
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}
