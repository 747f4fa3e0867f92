/** The worker process of the WebSocket benchmark. */
import { Worker } from "powerhose";
import { dialWebSocket } from "powerhose/websocket/node";
import handler from "./echo.js";

const worker = new Worker({ dial: dialWebSocket(process.argv[2]), capacity: 256, handler });
process.on("disconnect", () => process.exit());
await worker.start();
