/** Tinypool, with its defaults. */
import { Tinypool } from "tinypool";

/** @param {{ handler: string, size: number }} options */
export async function open({ handler, size }) {
  const filename = new URL(handler, import.meta.url).href;
  const pool = new Tinypool({ filename, minThreads: size, maxThreads: size });
  return { echo: (payload) => pool.run(payload), close: () => pool.destroy() };
}
