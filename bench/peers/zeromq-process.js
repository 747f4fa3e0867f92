/** The worker process of ZeroMQ: a DEALER that answers each message as it is. */
import { Dealer } from "zeromq";

const dealer = new Dealer({ sendHighWaterMark: 0, receiveHighWaterMark: 0 });
dealer.connect(process.argv[2] ?? "");
process.on("disconnect", () => process.exit());
await dealer.send(["", "hello"]);
for await (const [id, payload] of dealer) await dealer.send([id, payload]);
