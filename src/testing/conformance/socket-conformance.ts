/**
 * What the core relies on, as one suite that every transport passes. The cases speak of sockets and bytes only; what becomes
 * of jobs is in runner-conformance.ts.
 */
import { attachmentCases } from "./attachment-cases.ts";
import { closeCases } from "./close-cases.ts";
import { frameCases } from "./frame-cases.ts";
import { listenerCases } from "./listener-cases.ts";
import { openCases } from "./open-cases.ts";
import type { ConformanceCase, HarnessFactory } from "./harness.ts";
import { SocketFixture } from "./socket-fixture.ts";

/**
 * The cases of a transport's sockets, listener and dialer, each played on a harness of its own. Under any test runner:
 *
 * ```ts
 * for (const one of socketConformance(harness)) it(one.name, one.run);
 * ```
 */
export function socketConformance(harness: HarnessFactory): readonly ConformanceCase[] {
  return [...frameCases, ...openCases, ...closeCases, ...listenerCases, ...attachmentCases].map(({ name, check }) => ({
    name,
    run: () => SocketFixture.play(harness, check),
  }));
}
