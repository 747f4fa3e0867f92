/** Who runs against whom. The contestants of a group are measured in turns, so that a busy moment hits them alike. */
import { wsBatched, wsEach } from "./bare-ws.js";
import { directCall } from "./direct-call.js";
import { messageChannel } from "./message-channel.js";
import { postMessageBatched, postMessageEach, postMessageOneInFlight } from "./post-message.js";
import { powerhoseMemory } from "./powerhose-memory.js";
import { powerhoseThreads, powerhoseThreadsDefault } from "./powerhose-threads.js";
import { powerhoseWebSocket } from "./powerhose-websocket.js";

/** @type {Readonly<Record<string, readonly import("../measure.js").Contestant[]>>} */
export const GROUPS = {
  memory: [directCall, messageChannel, powerhoseMemory],
  threads: [postMessageEach, postMessageBatched, powerhoseThreads, postMessageOneInFlight, powerhoseThreadsDefault],
  ws: [wsEach, wsBatched, powerhoseWebSocket],
};
