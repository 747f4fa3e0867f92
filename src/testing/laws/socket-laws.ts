/**
 * What the core relies on, as one suite that every transport passes. The laws speak of sockets and bytes only; what becomes
 * of jobs is in runner-laws.ts.
 */
import { closeCases } from "./close-laws.ts";
import { frameCases } from "./frame-laws.ts";
import type { Law } from "./law.ts";
import { listenerCases } from "./listener-laws.ts";
import { openCases } from "./open-laws.ts";
import type { RigFactory } from "./rig.ts";
import { Stage } from "./stage.ts";

/**
 * The laws of a transport's sockets, listener and dialer, each played on a rig of its own. Under any test runner:
 *
 * ```ts
 * for (const law of socketLaws(rig)) it(law.name, law.run);
 * ```
 */
export function socketLaws(rig: RigFactory): readonly Law[] {
  return [...frameCases, ...openCases, ...closeCases, ...listenerCases].map(({ name, check }) => ({
    name,
    run: () => Stage.play(rig, check),
  }));
}
