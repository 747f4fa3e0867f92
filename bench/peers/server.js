/** Starts the server that some peers need, if the machine has it, on a port of its own; nothing of it is kept. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

/** @param {number} port */
async function answers(port) {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * @param {string} command
 * @param {(port: number) => string[]} args
 * @returns {Promise<{ port: number, stop(): Promise<void> }>}
 * @throws Error with the code `NO_SERVER` when the machine does not have it.
 */
export async function startServer(command, args) {
  const port = await freePort();
  const child = spawn(command, args(port), { stdio: "ignore" });
  const ended = once(child, "close");
  process.on("exit", () => child.kill("SIGKILL"));
  try {
    await once(child, "spawn");
  } catch (cause) {
    ended.catch(() => undefined);
    throw Object.assign(new Error(`no server (${command})`, { cause }), { code: "NO_SERVER" });
  }
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`);
    await sleep(20);
  }
  return {
    port,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
