/** The page at the door: what is served to whom, with which headers, and whose WebSocket may watch. */
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from "node:http";
import { once } from "node:events";
import { gunzipSync, gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { JobRunner } from "../../../../src/index.ts";
import { DASHBOARD_SUBPROTOCOL } from "../../../../src/dashboard/protocol.ts";
import {
  listenWebSocket,
  type WebSocketListener,
  type WebSocketListenerOptions,
} from "../../../../src/transports/websocket/node/index.ts";
import { MAX_VIEWERS } from "../../../../src/transports/websocket/node/dashboard-endpoint.ts";
import { ask, type Headers, status } from "./raw-client.ts";

const TOKEN = "correct horse battery staple";
const ADMIN = "root of all evil";
const HTML = { Accept: "text/html,application/xhtml+xml" };
const LEND = fileURLToPath(new URL("../../../cli/fixtures/jobs.js", import.meta.url));

interface Fetched {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A runner whose listener has a page. */
class House {
  readonly listener: WebSocketListener;
  readonly runner: JobRunner;
  readonly #server: Server | undefined;

  constructor(options: WebSocketListenerOptions) {
    this.listener = listenWebSocket({ dashboard: true, ...options });
    this.runner = new JobRunner({ listen: this.listener });
    this.#server = options.server;
  }

  static async open(options: WebSocketListenerOptions = {}): Promise<House> {
    const house = new House(options);
    await house.runner.start();
    return house;
  }

  get port(): number {
    return Number(new URL(this.listener.address).port);
  }

  /** The status of an upgrade of the page's. */
  async watch(headers: Headers = {}, path: string = "/"): Promise<number> {
    const Host = `127.0.0.1:${this.port}`;
    return status(await ask(this.port, path, { Host, "Sec-WebSocket-Protocol": DASHBOARD_SUBPROTOCOL, ...headers }));
  }

  fetch(path: string = "/", headers: Record<string, string> = HTML, method: string = "GET"): Promise<Fetched> {
    const { port } = this;
    return new Promise((resolve, reject) => {
      const sent = httpRequest({ host: "127.0.0.1", port, path, headers, method, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("end", () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
        });
      });
      sent.once("error", reject).end();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner.stop();
    if (this.#server?.listening === true) {
      this.#server.closeAllConnections();
      await new Promise((resolve) => this.#server?.close(resolve));
    }
  }
}

function bearer(token: string): Headers {
  const text = Buffer.from(token).toString("base64url");
  return { "Sec-WebSocket-Protocol": `${DASHBOARD_SUBPROTOCOL}, bearer.${text}` };
}

describe("the page", () => {
  test("is one small file with a policy that lets it run itself and nothing else", async () => {
    await using house = await House.open();
    const { status: code, headers, body } = await house.fetch();
    expect(code).toBe(200);
    expect(headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-store",
      "cross-origin-opener-policy": "same-origin",
    });
    const policy = headers["content-security-policy"];
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'sha256-[\w+/]+='; style-src 'sha256-[\w+/]+='; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    );
    expect(body.toString()).not.toMatch(/(?:src|href)="(?!data:,|#)/);
    expect(gzipSync(body, { level: 9 }).byteLength).toBeLessThan(60_000);
    const zipped = await house.fetch("/", { ...HTML, "Accept-Encoding": "gzip, br" });
    expect(zipped.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(zipped.body)).toEqual(body);
    expect((await house.fetch("/", HTML, "HEAD")).body).toHaveLength(0);
  });

  test("is for who asks for a page, at the listener's path, when there is to be one", async () => {
    await using house = await House.open({ path: "/fleet" });
    expect((await house.fetch("/fleet?x=1")).status).toBe(200);
    expect((await house.fetch("/fleet", { Accept: "*/*" })).status).toBe(426);
    expect((await house.fetch("/fleet", HTML, "POST")).status).toBe(426);
    for (const path of ["/", "/fleet/", "/fleet/lend.js", "/fleet/tab.js"]) {
      expect((await house.fetch(path)).status).toBe(404);
    }
    await using without = await House.open({ dashboard: false });
    expect((await without.fetch()).status).toBe(426);
    expect(await without.watch()).toBe(400);
  });

  test("comes with the module to lend and its script beside it, each under a policy", async () => {
    await using house = await House.open({ path: "/fleet", dashboard: { lend: LEND } });
    const page = await house.fetch("/fleet");
    expect(page.headers["content-security-policy"]).toContain("; worker-src 'self'; ");
    const [lent, tab] = [await house.fetch("/fleet/lend.js", {}), await house.fetch("/fleet/tab.js", {})];
    expect(lent.headers["content-type"]).toBe("text/javascript; charset=utf-8");
    expect(lent.body.toString()).toContain("export");
    expect(tab.headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'");
  });

  test("without a token is for this machine, under this machine's own name", async () => {
    await using house = await House.open();
    const { port } = house;
    for (const Host of ["evil.example", `evil.example:${port}`, "10.0.0.1", "127.0.0.1.evil.example"]) {
      const Origin = `http://${Host}`;
      expect((await house.fetch("/", { ...HTML, Host })).status).toBe(403);
      expect(await house.watch({ Host, Origin })).toBe(403);
      expect(await house.watch({ Host })).toBe(401);
      // A page that was served here cannot be there under that name: nor can it send workers.
      expect(status(await ask(port, "/", { Host, Origin }))).toBe(403);
    }
    for (const Host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) {
      expect((await house.fetch("/", { ...HTML, Host })).status).toBe(200);
      expect(await house.watch({ Host, Origin: `http://${Host}` })).toBe(101);
      expect(status(await ask(port, "/", { Host, Origin: `http://${Host}` }))).toBe(101);
    }
  });

  test("with a token is for everybody, and its numbers for who shows it", async () => {
    await using house = await House.open({ token: TOKEN, dashboard: { admin: ADMIN } });
    const Host = "jobs.example";
    expect((await house.fetch("/", { ...HTML, Host })).status).toBe(200);
    for (const Origin of ["https://jobs.example", "http://jobs.example", undefined]) {
      for (const token of [TOKEN, ADMIN]) expect(await house.watch({ Host, Origin, ...bearer(token) })).toBe(101);
      for (const shown of [{}, bearer("wrong"), { Cookie: `token=${TOKEN}` }]) {
        expect(await house.watch({ Host, Origin, ...shown })).toBe(401);
      }
      expect(await house.watch({ Host, Origin }, `/?token=${encodeURIComponent(TOKEN)}`)).toBe(401);
    }
    for (const Origin of ["https://evil.example", "https://jobs.example:8443", "null", ""]) {
      expect(await house.watch({ Host, Origin, ...bearer(TOKEN) })).toBe(403);
    }
  });

  test("takes no ticket, as that is for a worker; an admin's token is none for a worker", async () => {
    await using house = await House.open({ token: TOKEN, dashboard: { admin: ADMIN } });
    const ticket = house.listener.issueTicket({ principal: "p" });
    expect(await house.watch({}, `/?ticket=${ticket}`)).toBe(401);
    expect(status(await ask(house.port, "/", { Authorization: `Bearer ${ADMIN}` }))).toBe(401);
  });

  test("is answered by its own protocol, which never becomes that of workers", async () => {
    await using house = await House.open();
    const both = await ask(house.port, "/", { "Sec-WebSocket-Protocol": `${DASHBOARD_SUBPROTOCOL}, powerhose.v1` });
    expect(both).toMatch(/sec-websocket-protocol: powerhose\.v1\r?$/im);
    const ws = new WebSocket(`ws://127.0.0.1:${house.port}/`, DASHBOARD_SUBPROTOCOL);
    const [first] = (await once(ws, "message")) as [Buffer];
    expect(JSON.parse(first.toString())).toMatchObject({ type: "welcome", admin: false, lend: null });
    ws.send(Buffer.from([1, 2, 3]));
    const [code] = (await once(ws, "close")) as [number];
    expect(code).toBe(1008);
    expect(house.runner.stats()).toMatchObject({ registered: 0, pending: 0 });
  });

  test("is told when the listener stops", async () => {
    await using house = await House.open();
    const ws = new WebSocket(`ws://127.0.0.1:${house.port}/`, DASHBOARD_SUBPROTOCOL);
    await once(ws, "message");
    const closed = once(ws, "close") as Promise<[number]>;
    await house.runner.stop();
    expect((await closed)[0]).toBe(1001);
  });

  test("is open in so many places and no more", async () => {
    await using house = await House.open();
    const open = Array.from(
      { length: MAX_VIEWERS },
      () => new WebSocket(`ws://127.0.0.1:${house.port}/`, DASHBOARD_SUBPROTOCOL),
    );
    await Promise.all(open.map((ws) => once(ws, "message")));
    expect(await house.watch()).toBe(503);
    const [one] = open;
    one?.close();
    if (one !== undefined) await once(one, "close");
    expect(await house.watch()).toBe(101);
    for (const ws of open) ws.terminate();
  });
});

describe("on a server that is shared", () => {
  /** A server whose owner asks the listeners in turn, and answers the rest. */
  async function shared(listeners: () => readonly WebSocketListener[]): Promise<Server> {
    const server = createServer((request, response) => {
      if (listeners().some((one) => one.handleRequest(request, response))) return;
      response.end("owner");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
  }

  test("the listener answers what is for it, and the rest is the owner's, as before and after", async () => {
    const listeners: WebSocketListener[] = [];
    const server = await shared(() => listeners);
    await using house = await House.open({ server });
    const { port } = house;
    expect((await house.fetch()).body.toString()).toBe("owner");
    listeners.push(house.listener);
    expect((await house.fetch()).headers["content-type"]).toContain("text/html");
    expect((await house.fetch("/", {})).body.toString()).toBe("owner");
    expect((await house.fetch("/other")).body.toString()).toBe("owner");
    await house.runner.stop();
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { ...HTML, Connection: "close" } });
    expect(await answer.text()).toBe("owner");
  });

  test("nothing of the server is replaced, and only the upgrade is listened to", async () => {
    const server = await shared(() => []);
    const own = Reflect.ownKeys(server);
    const events = (): string =>
      server
        .eventNames()
        .map((name) => `${String(name)} ${server.listenerCount(name)}`)
        .join();
    const before = events();
    const houses = await Promise.all(["/one", "/two"].map((path) => House.open({ server, path })));
    expect([Reflect.ownKeys(server), Object.hasOwn(server, "emit")]).toEqual([own, false]);
    expect(events()).toBe(`${before},upgrade 2`);
    for (const { runner } of [...houses, ...houses]) {
      await runner.stop();
      await runner.start();
    }
    for (const { runner } of houses) await runner.stop();
    expect([Reflect.ownKeys(server), events()]).toEqual([own, before]);
    await new Promise((resolve) => server.close(resolve));
  });

  test("two listeners have a page each, whichever stops first", async () => {
    const listeners: WebSocketListener[] = [];
    const server = await shared(() => listeners);
    await using one = await House.open({ server, path: "/one", dashboard: { title: "1" } });
    const second = listenWebSocket({ server, path: "/two", dashboard: true });
    const two = new JobRunner({ listen: second });
    await two.start();
    listeners.push(one.listener, second);
    for (const path of ["/one", "/two"]) expect((await one.fetch(path)).status).toBe(200);
    await two.stop();
    expect((await one.fetch("/one")).headers["content-type"]).toContain("text/html");
    expect((await one.fetch("/two")).body.toString()).toBe("owner");
    await two.start();
    await one.runner.stop();
    expect((await one.fetch("/one")).body.toString()).toBe("owner");
    expect((await one.fetch("/two")).headers["content-type"]).toContain("text/html");
    await two.stop();
    expect((await one.fetch("/two")).body.toString()).toBe("owner");
  });
});

test.each([
  [{ page: "yes" }, TypeError],
  [{ dashboard: { colour: "red" } }, TypeError],
  [{ dashboard: { admin: [] } }, TypeError],
  [{ dashboard: { admin: "" } }, TypeError],
  [{ dashboard: { lend: "/nowhere/to/be/found.js" } }, TypeError],
  [{ dashboard: { lend: new URL("https://cdn.example/x.js") } }, TypeError],
  [{ dashboard: { history: 59 } }, RangeError],
  [{ dashboard: { title: "" } }, TypeError],
  [{ dashboard: { note: "words" } }, TypeError],
])("%j is refused", (options, kind) => {
  expect(() => listenWebSocket(options as WebSocketListenerOptions)).toThrow(kind);
});
