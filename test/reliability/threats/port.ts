/** Values at the end of a MessagePort that are no frames: whatever a structured clone can carry. Row T32. */
import * as fc from "fast-check";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { dialMessagePort, MessagePortListener } from "../../../src/transports/message-port.ts";
import { encode } from "../../support/frames.ts";
import { hello } from "../../support/scripted-peer.ts";
import type { Finding, Scale } from "../section.ts";
import { all, exactly, type Row, same, sized } from "./row.ts";
import { until } from "./waiting.ts";

/** What is posted, and what goes along with it. */
interface Posted {
  readonly value: unknown;
  readonly transfer?: readonly (ArrayBuffer | MessagePort)[];
}

function cyclic(): object {
  const one: Record<string, unknown> = {};
  one["self"] = one;
  return one;
}

function deep(levels: number): unknown {
  let value: unknown = [];
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}

/** Bytes of a good frame, in what is not to be taken for one. */
const HELLO = encode(hello({ identity: "smuggled" }));

function shared(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(HELLO.byteLength);
  new Uint8Array(memory).set(HELLO);
  return memory;
}

/** Values that are not bytes, each made anew. */
const STRANGE: Readonly<Record<string, () => Posted>> = {
  "a Map": () => ({ value: new Map([["frame", HELLO]]) }),
  "a Set": () => ({ value: new Set([HELLO]) }),
  "a Date": () => ({ value: new Date(0) }),
  "a RegExp": () => ({ value: /(a+)+$/ }),
  "an Error": () => ({ value: new RangeError("x") }),
  "a cycle": () => ({ value: cyclic() }),
  "a million holes": () => ({ value: Array.from({ length: 1_000_000 }) }),
  "arrays in arrays": () => ({ value: deep(2_000) }),
  "a frame in an object": () => ({ value: { byteLength: 4, buffer: HELLO, length: 4 } }),
  "an array of numbers": () => ({ value: [...HELLO] }),
  "shared memory": () => ({ value: shared() }),
  "bytes of shared memory": () => ({ value: new Uint8Array(shared()) }),
  "other views": () => ({ value: new DataView(HELLO.slice().buffer) }),
  "numbers of 64 bits": () => ({ value: new BigUint64Array([1n]) }),
  "words of 16 bits": () => ({ value: new Uint16Array(HELLO) }),
  "an object with an own `__proto__`": () => ({ value: JSON.parse('{ "__proto__": { "byteLength": 9 } }') as unknown }),
  "a Blob": () => ({ value: new Blob([HELLO]) }),
  text: () => ({ value: "HELLO" }),
  "almost the closing note": () => ({ value: "powerhose:close " }),
  undefined: () => ({ value: undefined }),
  null: () => ({ value: null }),
  "a number": () => ({ value: Number.NaN }),
  "a bigint": () => ({ value: 1n }),
  "a boolean": () => ({ value: true }),
};

/** Bytes that are no frame. */
const GARBAGE: Readonly<Record<string, () => Posted>> = {
  "an empty buffer": () => ({ value: new ArrayBuffer(0) }),
  zeros: () => ({ value: new ArrayBuffer(1_000) }),
  "a buffer over the limit": () => ({ value: new ArrayBuffer(8 * 1024 * 1024) }),
  "a buffer that was handed over": () => {
    const buffer = new ArrayBuffer(64);
    return { value: buffer, transfer: [buffer] };
  },
  "the middle of a frame": () => ({ value: HELLO.subarray(3, 9) }),
};

/** A runner behind ports. */
class Harbour {
  readonly listener: MessagePortListener = new MessagePortListener();
  readonly runner: JobRunner = new JobRunner({ listen: this.listener, maxPending: 10_000 });
  readonly refused: string[] = [];

  async start(): Promise<void> {
    this.runner.on((event) => void (event.type === "worker-refused" && this.refused.push(event.message)));
    await this.runner.start();
  }

  /** Posts a value from a port of its own; whether it could be posted at all. */
  post({ value, transfer = [] }: Posted): boolean {
    const { port1, port2 } = new MessageChannel();
    try {
      port2.postMessage(value, [...transfer]);
    } catch {
      port1.close(); // what cannot be cloned cannot be sent by anybody
      return false;
    }
    // The runner's end closes it.
    this.listener.add(port1);
    return true;
  }

  /** What an honest worker answers now. */
  async serves(): Promise<unknown> {
    const { port1, port2 } = new MessageChannel();
    this.listener.add(port1);
    const worker = new Worker({ dial: dialMessagePort(port2), handler: (job) => `${String(job.data)}!` });
    await worker.start();
    const answer = await this.runner.execute("still here");
    await worker.stop();
    return answer;
  }

  /** Posts many, some at a time; resolves to how many could be posted, once each has been refused. */
  async postAll(posts: readonly Posted[]): Promise<number> {
    let sent = 0;
    for (let at = 0; at < posts.length; at += 50) {
      sent += posts.slice(at, at + 50).filter((posted) => this.post(posted)).length;
      await until("each of them has been refused", () => this.refused.length >= sent);
    }
    return sent;
  }
}

async function values(scale: Scale): Promise<readonly Finding[]> {
  const harbour = new Harbour();
  await harbour.start();
  const fixed = [...Object.values(STRANGE), ...Object.values(GARBAGE)].map((make) => make());
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    withNullPrototype: true,
    maxDepth: 4,
  });
  const drawn = fc.sample(anything, { numRuns: sized(scale, 500, 2_000, 50_000), seed: 1 });
  const sent = await harbour.postAll([...fixed, portInside(), ...drawn.map((value) => ({ value }))]);
  const strange = Object.keys(STRANGE).length;
  const notBytes = harbour.refused.filter((reason) => /not bytes|cannot be read/.test(reason)).length;
  const { registered, pending } = harbour.runner.stats();
  const answer = await harbour.serves();
  await harbour.runner.stop();
  return [
    all("values posted instead of a frame, each of which ended its session", harbour.refused.length, sent),
    all("of the strange ones of a fixed list, refused as no bytes", Math.min(notBytes, strange), strange),
    exactly("registered by any of them", registered, 0),
    exactly("sessions left", pending, 0),
    same("a job afterwards", answer, "still here!"),
  ];
}

/** A port within a message: it goes with the message that is thrown away. */
function portInside(): Posted {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return { value: { port: port1 }, transfer: [port1] };
}

/** What comes over a port. */
export const portRows: readonly Row[] = [
  { name: "T32", threat: "values at a MessagePort that are no frames", check: values },
];
