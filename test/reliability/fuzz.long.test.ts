/** Fuzzing, at the scale of a test. */
import { describe, expect, it } from "vitest";
import { type DecoderCounts, decoderFindings } from "./fuzz/decoder.ts";
import { handshakeFindings } from "./fuzz/handshakes.ts";
import { peerFindings } from "./fuzz/peers.ts";
import type { Finding } from "./section.ts";

function failed(findings: readonly Finding[]): readonly Finding[] {
  expect(findings.length).toBeGreaterThan(0);
  return findings.filter(({ ok }) => !ok);
}

describe("fuzzing", () => {
  it("F1: the decoder", { timeout: 120_000 }, () => {
    const counts: DecoderCounts = { frames: 0, refused: 0, taken: 0, wrong: [] };
    expect(failed(decoderFindings("test", counts))).toEqual([]);
  });

  it("F1: runners over every transport", { timeout: 120_000 }, async () => {
    expect(failed(await peerFindings("test"))).toEqual([]);
  });

  it("F2: handshakes over raw TCP", { timeout: 120_000 }, async () => {
    expect(failed(await handshakeFindings("test"))).toEqual([]);
  });
});
