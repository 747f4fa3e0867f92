/** What befalls the fleet of the storm, from a shuffled deck: each fault comes up once before any comes again. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../chaos/chance.ts";
import type { Links, Places, StormStage } from "./stage.ts";

/** Standing still, in ms: shorter and longer than the silence that ends a session. */
const SHORT_STOP = [100, 900] as const;
const LONG_STOP = [2_000, 4_000] as const;

/** A fault, by the name it is counted by. */
export interface Fault {
  readonly name: string;
  readonly act: (stage: StormStage, chance: Chance) => Promise<void> | void;
}

function kill(name: keyof Places): Fault {
  return { name: `SIGKILL of ${name}`, act: ({ places }) => places[name].signal("SIGKILL") };
}

function stop(name: keyof Places, [least, most]: readonly [number, number], how: string): Fault {
  return {
    name: `SIGSTOP of ${name}, ${how}`,
    act: async ({ places }, chance) => {
      places[name].signal("SIGSTOP");
      await sleep(chance.between(least, most));
      places[name].signal("SIGCONT");
    },
  };
}

function cut(name: keyof Links, how: "fin" | "rst"): Fault {
  return { name: `link of ${name} cut by ${how.toUpperCase()}`, act: ({ links }) => void links[name].cut(how) };
}

function halfOpen(name: keyof Links, direction: "up" | "down"): Fault {
  return { name: `link of ${name} half-open`, act: ({ links }) => void links[name].halfOpen([direction]) };
}

/** Faults that the processes whose memory is watched survive. */
const LASTING: readonly Fault[] = [
  kill("host-2"),
  kill("deep"),
  stop("host-1", SHORT_STOP, "short"),
  stop("host-2", LONG_STOP, "long"),
  stop("broker", SHORT_STOP, "short"),
  stop("broker", LONG_STOP, "long"),
  stop("deep", LONG_STOP, "long"),
  stop("caller", SHORT_STOP, "short"),
  stop("caller", LONG_STOP, "long"),
  cut("host-1", "fin"),
  cut("host-2", "rst"),
  cut("broker", "rst"),
  cut("deep", "fin"),
  cut("tab", "rst"),
  halfOpen("host-1", "up"),
  halfOpen("broker", "down"),
  { name: "page reloaded", act: ({ tab }) => tab.reload() },
  { name: "page crashed", act: ({ tab }) => tab.crash() },
];

/** Faults after which a process is another one. */
const ENDING: readonly Fault[] = [kill("host-1"), kill("broker")];

/** Lets faults happen, one after the other, and counts them. */
export class Trouble {
  readonly counts: Record<string, number> = {};
  readonly #stage: StormStage;
  readonly #chance: Chance;
  #deck: Fault[] = [];

  constructor(stage: StormStage, chance: Chance) {
    this.#stage = stage;
    this.#chance = chance;
  }

  /** All kinds of fault that `last` can bring, `ENDING` ones included. */
  static get kinds(): readonly string[] {
    return [...LASTING, ...ENDING].map(({ name }) => name);
  }

  /** Each of the faults that end a process, once. */
  async begin(): Promise<void> {
    for (const fault of ENDING) await this.#befall(fault);
  }

  /** For so many ms, with pauses of `pause` ms at most. */
  async last(ms: number, pause: number): Promise<void> {
    const until = performance.now() + ms;
    while (performance.now() < until) {
      await this.#befall(this.#draw());
      await sleep(this.#chance.between(pause / 4, pause));
    }
  }

  async #befall({ name, act }: Fault): Promise<void> {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    await act(this.#stage, this.#chance);
  }

  #draw(): Fault {
    if (this.#deck.length === 0) this.#deck = [...LASTING];
    const [fault] = this.#deck.splice(this.#chance.between(0, this.#deck.length - 1), 1);
    if (fault === undefined) throw new Error("a deck that is not empty has a card");
    return fault;
  }
}
