/** The half of a socket that all transports share. */
import { describe, expect, it } from "vitest";
import { Inbox } from "../../../src/core/transport/inbox.ts";
import type { CloseReason } from "../../../src/core/transport/socket.ts";

const REASON: CloseReason = { code: "error", message: "reset" };

function opened(inbox: Inbox, onFrame: () => void = () => undefined): string[] {
  const told: string[] = [];
  inbox.open({
    frame: (bytes) => {
      told.push(`frame ${bytes.length}`);
      onFrame();
    },
    closed: ({ message }) => void told.push(`closed: ${message}`),
  });
  return told;
}

describe("an inbox", () => {
  it("holds frames until it is opened, once", () => {
    const inbox = new Inbox();
    inbox.frame(new Uint8Array(1));
    inbox.frame(new Uint8Array(2));
    const told = opened(inbox);
    inbox.frame(new Uint8Array(3));
    expect(told).toEqual(["frame 1", "frame 2", "frame 3"]);
    expect(() => opened(inbox)).toThrow("already open");
  });

  it("delivers what it held although the other end has closed since, and tells of that after it", () => {
    const inbox = new Inbox();
    inbox.frame(new Uint8Array(1));
    expect([inbox.isClosed, inbox.close(REASON), inbox.isClosed]).toEqual([false, true, true]);
    inbox.frame(new Uint8Array(2));
    expect(opened(inbox)).toEqual(["frame 1", "closed: reset"]);
  });

  it("delivers nothing more once this end has closed, which it is told later", () => {
    const inbox = new Inbox();
    inbox.frame(new Uint8Array(1));
    inbox.frame(new Uint8Array(2));
    let tell: () => void = () => undefined;
    const told = opened(inbox, () => inbox.close(REASON, (later) => (tell = later)));
    expect(told).toEqual(["frame 1", "closed: reset"]);
    tell();
    expect(told).toEqual(["frame 1", "closed: reset"]);
  });

  it("closes once", () => {
    const inbox = new Inbox();
    const told = opened(inbox);
    expect([inbox.close(REASON), inbox.close({ ...REASON, message: "again" })]).toEqual([true, false]);
    expect(told).toEqual(["closed: reset"]);
  });
});
