/** Every transport against the laws of a socket, a listener and a dialer. */
import { describe, test } from "vitest";
import { socketLaws } from "../../src/testing/conformance/socket-conformance.ts";
import { transports } from "./harnesses.ts";

describe.each(transports)("$name: the laws of a socket, a listener and a dialer", ({ make }) => {
  const laws = socketLaws(make).map(({ name, run }) => [name, run] as const);
  test.each(laws)("%s", (_name, run) => run());
});
