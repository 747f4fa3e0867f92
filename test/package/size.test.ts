/** What a browser loads of the package holds nothing of Node, and is not larger than was agreed. */
import { expect, test } from "vitest";
import { PARTS, sizeOf } from "../support/bundle-size.ts";

test.each(PARTS.map((part) => [part.name, part] as const))(
  "%s is light, and fit for a browser",
  async (_name, part) => {
    const { gzipped, modules } = await sizeOf(part);
    expect(modules).not.toEqual([]);
    expect(modules.filter((module) => !module.startsWith("dist/"))).toEqual([]);
    expect(modules.filter((module) => /-node|dist\/(?:threads|cli|testing)\//.test(module))).toEqual([]);
    expect(gzipped).toBeGreaterThan(1_000);
    expect(gzipped).toBeLessThanOrEqual(part.limit);
  },
);

test("the scale sees what is not fit for a browser", async () => {
  const entry = `export { listenWebSocket } from "./dist/transports/websocket/node/index.js";`;
  const { modules } = await sizeOf({ name: "planted", entry, limit: 0 });
  expect(modules).toEqual(expect.arrayContaining(["ws", "node:http"]));
});
