/** All that takes part in the storm: the caller's process, hosts, a broker with a host of its own, a tab, and what is between them. */
import type { Browser } from "playwright-core";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../../support/package-files.ts";
import type { PageServer } from "../../support/page-server.ts";
import type { Chance } from "../chaos/chance.ts";
import { FaultProxy } from "../chaos/fault-proxy.ts";
import { MAX_WAIT_MS } from "../chaos/waiting.ts";
import { Ledger } from "./ledger.ts";
import { Place } from "./place.ts";
import { StormTab, tabServer } from "./tab.ts";

/** The interval of all runners, in ms: short, so that a process that stands still is given up within the storm. */
export const HEARTBEAT = 500;

const LANES = 14;
/** Direct workers of the caller's runner: two threads, two hosts, the broker and the tab. */
const WORKERS = 6;
/** Their slots: two threads, two and one of the hosts, one and the deep one's of the broker, the tab's. */
const CAPACITY = 8;

function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

/** The links that can be cut, by the place that dials. */
export interface Links {
  readonly "host-1": FaultProxy;
  readonly "host-2": FaultProxy;
  readonly broker: FaultProxy;
  readonly deep: FaultProxy;
  readonly tab: FaultProxy;
}

/** The processes under signals. */
export interface Places {
  readonly caller: Place;
  readonly "host-1": Place;
  readonly "host-2": Place;
  readonly broker: Place;
  readonly deep: Place;
}

/** The stage of one storm. */
export class StormStage implements AsyncDisposable {
  readonly ledger: Ledger;
  readonly places: Places;
  readonly links: Links;
  readonly tab: StormTab;
  readonly #server: PageServer;

  private constructor(ledger: Ledger, places: Places, links: Links, tab: StormTab, server: PageServer) {
    this.ledger = ledger;
    this.places = places;
    this.links = links;
    this.tab = tab;
    this.#server = server;
  }

  static async start(browser: Browser, chance: Chance): Promise<StormStage> {
    const ledger = new Ledger();
    const server = await tabServer((line) => ledger.note(line));
    const caller = startCaller(ledger.folder, server.origin);
    const { url } = await caller.hear<{ readonly url: string }>("listening");
    const brokerPort = await freePort();
    const links = await startLinks(Number(new URL(url).port), brokerPort, () => chance.fraction());
    const settings = { url: links.broker.url, port: brokerPort, heartbeat: HEARTBEAT };
    const places = {
      caller,
      "host-1": startHost("host-1", "host-1", 2, links["host-1"].url, ledger.folder),
      "host-2": startHost("host-2", "host-2", 1, links["host-2"].url, ledger.folder),
      broker: new Place({
        name: "broker",
        args: [fixture("storm-broker.js"), JSON.stringify(settings)],
        env: { STORM_LEDGER: ledger.folder, STORM_AT: "broker" },
        talks: true,
      }),
      deep: startHost("deep", "broker/deep", 1, links.deep.url, ledger.folder),
    };
    const tab = await StormTab.open(browser, server.origin, links.tab.url);
    return new StormStage(ledger, places, links, tab, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tab[Symbol.asyncDispose]();
    for (const place of Object.values(this.places) as Place[]) await place[Symbol.asyncDispose]();
    for (const link of Object.values(this.links) as FaultProxy[]) await link[Symbol.asyncDispose]();
    await this.#server.stop();
    this.ledger[Symbol.dispose]();
  }
}

function startCaller(folder: string, origin: string): Place {
  const settings = {
    folder,
    origin,
    heartbeat: HEARTBEAT,
    lanes: LANES,
    threads: 2,
    workers: WORKERS,
    capacity: CAPACITY,
    maxWait: MAX_WAIT_MS,
  };
  const args = [fixture("storm-caller.js"), JSON.stringify(settings)];
  return new Place({ name: "caller", args, env: { STORM_LEDGER: folder }, talks: true });
}

/** A real `powerhose work`. */
function startHost(identity: string, at: string, threads: number, url: string, folder: string): Place {
  const main = join(root, "dist/cli/main.js");
  const options = ["-w", String(threads), "--identity", identity, "--labels", identity, "--connect", url];
  return new Place({
    name: identity,
    args: [main, "work", ...options, fixture("storm-handler.js")],
    env: { STORM_LEDGER: folder, STORM_AT: at },
  });
}

async function startLinks(callerPort: number, brokerPort: number, fraction: () => number): Promise<Links> {
  const toCaller = (): Promise<FaultProxy> => FaultProxy.start(callerPort, fraction);
  return {
    "host-1": await toCaller(),
    "host-2": await toCaller(),
    broker: await toCaller(),
    deep: await FaultProxy.start(brokerPort, fraction),
    tab: await toCaller(),
  };
}
