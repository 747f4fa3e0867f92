/**
 * Holds what workers send against what their handlers did: never more at a time than they offer, and no value that no handler
 * returned for that attempt. Peers that follow a script may lie, and are not looked at.
 */
import type { JobMessage, Message } from "../../core/protocol/message.ts";
import type { Payload } from "../../core/peer.ts";
import { samePayload } from "../../core/dispatch/verification.ts";
import type { Checker, Violation } from "./checker.ts";
import type { FrameObservation, Observation } from "../history/observation.ts";

/** An attempt a worker was given. */
interface Errand {
  readonly key: string;
  begun: boolean;
  value: Payload | undefined;
}

/** One life of a worker's machine. */
interface Shop {
  life: number;
  /** Handlers that run. */
  readonly running: Set<number>;
  /** What it was given, by connection and attempt id. */
  readonly desks: Map<number, Map<number, Errand>>;
  /** The same by job and attempt number. */
  readonly errands: Map<string, Errand>;
  /** What a run is for. */
  readonly runs: Map<number, string>;
  /** The runner's name at the other end of a connection. */
  readonly runners: Map<number, string>;
  /** Connections on which a malformed frame arrived, which may have begun with a JOB. */
  readonly garbled: Set<number>;
}

/** Checks value-of-handler and handlers-within-capacity, and of leaving-loses-no-job that a worker hands back only what it has not begun. */
export class Concurrency implements Checker {
  readonly #violation: Violation;
  readonly #shops = new Map<string, Shop>();

  /** @param violation - Is told of what is wrong. */
  constructor(violation: Violation) {
    this.#violation = violation;
  }

  observe(seen: Observation): void {
    switch (seen.kind) {
      case "delivered":
        return this.#given(seen);
      case "sent":
        return this.#said(seen);
      case "handler-started":
        return this.#started(seen);
      case "handler-ended":
        return this.#ended(seen.machine, seen.life, seen.run, seen.value);
      case "closed":
        return this.#closed(seen.machine, seen.connection);
      case "machine":
        if (seen.role !== "worker") return;
        if (seen.state === "down") this.#shops.delete(seen.machine);
        else if (this.#shops.get(seen.machine)?.life !== seen.life) this.#shops.set(seen.machine, newShop(seen.life));
        return;
      default:
    }
  }

  #given({ to, connection, messages }: FrameObservation): void {
    const shop = this.#shops.get(to);
    if (shop === undefined) return;
    if (messages === undefined) shop.garbled.add(connection);
    for (const message of messages ?? []) {
      if (message.type === "WELCOME") shop.runners.set(connection, message.runnerId);
      else if (message.type === "JOB") give(shop, connection, message);
    }
  }

  #said({ from, connection, messages }: FrameObservation): void {
    const shop = this.#shops.get(from);
    if (shop === undefined || shop.garbled.has(connection)) return;
    for (const message of messages ?? []) this.#answered(shop, from, connection, message);
  }

  #answered(shop: Shop, machine: string, connection: number, message: Message): void {
    const { type } = message;
    if (type !== "JOBRES" && type !== "JOBERR" && type !== "REJECT" && type !== "CANCELLED") return;
    const desk = shop.desks.get(connection);
    const errand = desk?.get(message.attemptId);
    if (errand === undefined)
      return this.#violation(
        "value-of-handler",
        `${machine} answers attempt ${message.attemptId}, which it was not given`,
      );
    desk?.delete(message.attemptId);
    shop.errands.delete(errand.key);
    if (type === "REJECT" && errand.begun)
      this.#violation("leaving-loses-no-job", `${machine} hands back ${errand.key}, which it had begun`);
    if (type !== "JOBRES") return;
    if (errand.value === undefined || !samePayload(errand.value, message.value))
      this.#violation("value-of-handler", `${machine} answers ${errand.key} with what its handler did not return`);
  }

  #started(seen: Extract<Observation, { kind: "handler-started" }>): void {
    const { machine, life, capacity, jobId, attempt, run } = seen;
    const shop = this.#shops.get(machine);
    if (shop?.life !== life) return;
    shop.running.add(run);
    if (shop.running.size > capacity)
      this.#violation(
        "handlers-within-capacity",
        `${machine} runs ${shop.running.size} handlers at a time, ${capacity} may run`,
      );
    const key = keyOf(jobId, attempt);
    const errand = shop.errands.get(key);
    if (errand === undefined)
      return this.#violation("value-of-handler", `${machine} runs ${key}, which it was not given`);
    errand.begun = true;
    shop.runs.set(run, key);
  }

  #ended(machine: string, life: number, run: number, value: Payload | undefined): void {
    const shop = this.#shops.get(machine);
    if (shop?.life !== life) return;
    if (!shop.running.delete(run))
      this.#violation("handlers-within-capacity", `${machine}: run ${run} ends, and did not run`);
    const errand = shop.errands.get(shop.runs.get(run) ?? "");
    shop.runs.delete(run);
    if (errand !== undefined) errand.value = value;
  }

  /** Nothing is sent on it any more. */
  #closed(machine: string, connection: number): void {
    const shop = this.#shops.get(machine);
    if (shop === undefined) return;
    for (const { key } of shop.desks.get(connection)?.values() ?? []) shop.errands.delete(key);
    shop.desks.delete(connection);
    shop.runners.delete(connection);
    shop.garbled.delete(connection);
  }
}

function newShop(life: number): Shop {
  return {
    life,
    running: new Set(),
    desks: new Map(),
    errands: new Map(),
    runs: new Map(),
    runners: new Map(),
    garbled: new Set(),
  };
}

function keyOf(jobId: string, attempt: number): string {
  return `${jobId}#${attempt}`;
}

function give(shop: Shop, connection: number, { attemptId, attempt, jobId }: JobMessage): void {
  const key = keyOf(`${shop.runners.get(connection) ?? ""}-${jobId}`, attempt);
  const errand = { key, begun: false, value: undefined };
  let desk = shop.desks.get(connection);
  if (desk === undefined) shop.desks.set(connection, (desk = new Map()));
  desk.set(attemptId, errand);
  shop.errands.set(key, errand);
}
