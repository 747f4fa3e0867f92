/** Every transport against the cases of a socket, a listener and a dialer. */
import { describe, test } from "vitest";
import { socketConformance } from "../../src/testing/conformance/socket-conformance.ts";
import { transports } from "./harnesses.ts";

describe.each(transports)("$name: the cases of a socket, a listener and a dialer", ({ make }) => {
  const laws = socketConformance(make).map(({ name, run }) => [name, run] as const);
  test.each(laws)("%s", (_name, run) => run());
});
