/** The worker process of NATS: one of a queue group, that answers each request as it is. */
import { connect } from "nats";

process.on("disconnect", () => process.exit());
const connection = await connect({ servers: process.argv[2] ?? "" });
connection.subscribe("echo", { queue: "workers", callback: (_error, message) => void message.respond(message.data) });
connection.publish("ready");
