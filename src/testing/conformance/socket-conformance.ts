/**
 * What the core relies on, as one suite that every transport passes. The laws speak of sockets and bytes only; what becomes
 * of jobs is in runner-conformance.ts.
 */
import { closeCases } from "./close-cases.ts";
import { frameCases } from "./frame-cases.ts";
import type { Law } from "./conformance-case.ts";
import { listenerCases } from "./listener-cases.ts";
import { openCases } from "./open-cases.ts";
import type { RigFactory } from "./harness.ts";
import { Stage } from "./socket-fixture.ts";

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
