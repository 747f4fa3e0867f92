/** An identity has one session at a time, and belongs to the principal that the transport authenticated. */
import type { WorkerGoneEvent, WorkerJoinedEvent } from "../../core/events.ts";
import type { Checker, Violation } from "./checker.ts";
import type { NumberedEvent, Observation } from "../history/observation.ts";
import type { CheckerContext } from "./checker-context.ts";
import { getOrCreate } from "./get-or-create.ts";
import type { WireModelObserver } from "./wire-model.ts";
import type { WireConnection } from "./wire.ts";

/** The session that has an identity, or had it until a newcomer replaced it. */
interface Holder {
  readonly principal: string;
  /** Set when a newcomer has replaced it: its `worker-joined` has to follow in the same moment. */
  readonly replacedAt: number | undefined;
}

/** Checks one-session-per-identity and identity-stays-with-principal. */
export class Identity implements Checker, WireModelObserver {
  readonly #violation: Violation;
  readonly #holders = new Map<string, Map<string, Holder>>();

  /** @param violation - Called for each breach. @param context - Has to be shown each observation first. */
  constructor(violation: Violation, context: CheckerContext) {
    this.#violation = violation;
    context.wire.addObserver(this);
  }

  observe(seen: Observation): void {
    if (seen.kind === "runner") this.#onEvent(seen.machine, seen.event, seen.at);
    else if (seen.kind === "machine" && seen.state === "down") this.#holders.delete(seen.machine);
  }

  onRegistered(connection: WireConnection): void {
    const { runner, identity, number } = connection;
    const holder = runner.workers.get(identity);
    if (holder !== undefined && holder !== connection)
      this.#violation(
        "one-session-per-identity",
        `${runner.machine} welcomes ${identity} on connection ${number} beside connection ${holder.number}`,
      );
  }

  #onEvent(machine: string, event: NumberedEvent, at: number): void {
    if (event.type === "worker-joined") this.#onJoined(machine, event, at);
    else if (event.type === "worker-gone") this.#onGone(machine, event, at);
  }

  #holdersOf(machine: string): Map<string, Holder> {
    return getOrCreate(this.#holders, machine, () => new Map());
  }

  #onJoined(machine: string, { identity, peer }: WorkerJoinedEvent, at: number): void {
    const holders = this.#holdersOf(machine);
    const holder = holders.get(identity);
    holders.set(identity, { principal: peer.principal, replacedAt: undefined });
    if (holder === undefined) return;
    if (holder.replacedAt === undefined)
      return this.#violation("one-session-per-identity", `${machine}: ${identity} joins, and has not gone`);
    if (holder.replacedAt === at && holder.principal !== peer.principal)
      this.#violation(
        "identity-stays-with-principal",
        `${machine}: ${identity} of ${holder.principal} is taken over by ${peer.principal}`,
      );
  }

  #onGone(machine: string, { identity, peer, reason }: WorkerGoneEvent, at: number): void {
    const holders = this.#holdersOf(machine);
    const holder = holders.get(identity);
    if (holder === undefined || holder.replacedAt !== undefined)
      return this.#violation(
        "one-session-per-identity",
        `${machine}: ${identity} is gone (${reason}), and was not there`,
      );
    if (holder.principal !== peer.principal)
      this.#violation(
        "identity-stays-with-principal",
        `${machine}: ${identity} came as ${holder.principal} and goes as ${peer.principal}`,
      );
    // Kept after a replacement only, to check the principal of the newcomer.
    if (reason === "replaced") holders.set(identity, { principal: peer.principal, replacedAt: at });
    else holders.delete(identity);
  }
}
