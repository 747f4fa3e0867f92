/** Every transport against the laws of a socket. */
import { transports } from "./rigs.ts";
import { socketLaws } from "./socket-laws.ts";

for (const transport of transports) socketLaws(transport);
