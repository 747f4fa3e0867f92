/**
 * What the core relies on, as one suite that every transport passes. A new transport adds a rig and nothing else. The
 * cases speak of sockets and bytes only; what messages do is tested with the core.
 */
import { describe } from "vitest";
import { closeLaws, reentrancyLaws } from "./close-laws.ts";
import { frameLaws, orderLaws, sendLaws } from "./frame-laws.ts";
import { dialLaws, listenerLaws } from "./listener-laws.ts";
import { factLaws, limitLaws, openLaws, ownershipLaws } from "./open-laws.ts";
import type { RigFactory } from "./rigs.ts";
import { type NewStage, Stage } from "./stage.ts";

/** Runs the suite over one transport. */
export function socketLaws({ name, make }: RigFactory): void {
  const stage: NewStage = async () => {
    const set = new Stage(await make());
    await set.start();
    return set;
  };
  describe(`${name}: the laws of a socket`, () => {
    frameLaws(stage);
    orderLaws(stage);
    sendLaws(stage);
    openLaws(stage);
    ownershipLaws(stage);
    limitLaws(stage);
    closeLaws(stage);
    reentrancyLaws(stage);
    factLaws(stage);
  });
  describe(`${name}: the laws of a listener and a dialer`, () => {
    listenerLaws(stage);
    dialLaws(stage);
  });
}
