/** Fuzzing as a section of the evidence: hostile frames to the decoder and to runners, hostile bytes to the door. */
import type { Findings, Scale, Section } from "./section.ts";
import { type DecoderCounts, decoderFindings } from "./fuzz/decoder.ts";
import { handshakeFindings } from "./fuzz/handshakes.ts";
import { peerFindings } from "./fuzz/peers.ts";

async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  const counts: DecoderCounts = { frames: 0, refused: 0, taken: 0, wrong: [] };
  say("F1: hostile frames, read");
  const decoded = decoderFindings(scale, counts);
  say("F1: hostile frames, sent to runners over every transport");
  const sent = await peerFindings(scale);
  say("F2: anything instead of a handshake");
  const knocked = await handshakeFindings(scale);
  const findings = [...decoded, ...sent, ...knocked];
  return { findings, counts: { "frames read": counts.frames, "frames refused": counts.refused } };
}

/** Fuzzing. */
export const fuzz: Section = {
  name: "fuzz",
  title: "Fuzzing",
  about:
    "Frames of every message type are cut, flipped, spliced, stretched and given lengths that lie, and read by the real " +
    "decoder: only a ProtocolError may come out, or messages that are written to the same bytes again. The same frames go to " +
    "runners over every transport, before and after HELLO, beside a worker that goes on with its jobs. And requests that " +
    "are no handshake, or almost one, go to a listener over raw TCP. All of it from seeds.",
  run,
};
