/** The worker process of the WebSocket benchmark. */
import { Worker } from "powerhose";
import { dialWebSocket } from "powerhose/websocket/node";
import handler from "./echo.js";

const [, , address = "", capacity] = process.argv;
const worker = new Worker({ dial: dialWebSocket(address), capacity: Number(capacity), handler });
process.on("disconnect", () => process.exit());
await worker.start();
