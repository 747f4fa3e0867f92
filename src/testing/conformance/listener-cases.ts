/** Cases of listeners and dialers: listeners start, stop and start again, dials can be aborted, and fail with a reason to read. */
import { expectEqual, expectTrue, expectWords, rejectionOf } from "./expectation.ts";
import { bytes, Recorder, textOf, utf8 } from "./recorder.ts";
import { MAX, type SocketCase } from "./socket-fixture.ts";
import { WatchedSignal } from "./watched-signal.ts";

const stopping: readonly SocketCase[] = [
  {
    name: "it has an address, started or not",
    check: async (fixture) => {
      expectTrue(fixture.harness.listener.address !== "", "an address while it listens");
      await fixture.stop();
      expectTrue(fixture.harness.listener.address !== "", "an address when it has stopped");
    },
  },
  {
    name: "stop closes the accepted sockets, and their peers learn of it",
    check: async (fixture) => {
      const pairs = [await fixture.pair(), await fixture.pair(), await fixture.pair()];
      await fixture.stop();
      await fixture.closed(...pairs.flatMap(({ nearSide, farSide }) => [nearSide, farSide]));
      const codes = pairs.map(({ farSide }) => farSide.closes[0]?.code);
      expectEqual(codes, ["local", "local", "local"], "the codes of the close at the listener's ends");
    },
  },
  {
    name: "frames sent before stop arrive",
    check: async (fixture) => {
      const { far, nearSide } = await fixture.pair();
      for (let i = 0; i < 10; i++) far.send(bytes(MAX, i));
      await fixture.stop();
      await fixture.closed(nearSide);
      expectEqual(nearSide.order, `${"f".repeat(10)}c`, "what the dialler was told");
    },
  },
  {
    name: "it may be stopped twice, also at once",
    check: async (fixture) => {
      await Promise.all([fixture.stop(), fixture.stop()]);
      expectEqual(await fixture.stop(), undefined, "what stop resolves to");
    },
  },
  {
    name: "one closed socket leaves the others alone",
    check: async (fixture) => {
      const [first, second] = [await fixture.pair(), await fixture.pair()];
      first.near.close();
      await fixture.closed(first.farSide);
      second.near.send(bytes(2));
      await fixture.arrived(second.farSide, 1);
      expectEqual(second.farSide.closes, [], "the closes of the other socket");
    },
  },
];

const starting: readonly SocketCase[] = [
  {
    name: "it may be started again after stop, and works",
    check: async (fixture) => {
      for (let round = 0; round < 3; round++) {
        const { near, farSide } = await fixture.pair();
        near.send(utf8(`round ${round}`));
        await fixture.arrived(farSide, 1);
        expectEqual(farSide.frames.map(textOf), [`round ${round}`], "the frames");
        await fixture.stop();
        await fixture.start();
      }
    },
  },
  {
    name: "start right behind stop waits its turn",
    check: async (fixture) => {
      await fixture.pair();
      const stopped = fixture.harness.listener.stop();
      await fixture.start();
      await fixture.harness.settle(stopped);
      const { near, farSide } = await fixture.pair();
      near.send(bytes(1));
      await fixture.arrived(farSide, 1);
      expectEqual(fixture.accepted.length, 2, "the number of accepted sockets");
    },
  },
  {
    name: "starting twice for the same taker changes nothing; for another it is refused",
    check: async (fixture) => {
      await fixture.start();
      const other = fixture.harness.settle(fixture.harness.listener.start(() => undefined, fixture.context));
      const error = await rejectionOf(other, "starting for another taker");
      expectWords(String(error), "already listening", "the error");
      const { near, farSide } = await fixture.pair();
      near.send(bytes(1));
      await fixture.arrived(farSide, 1);
      expectEqual(fixture.accepted.length, 1, "the number of accepted sockets");
    },
  },
];

const dialling: readonly SocketCase[] = [
  {
    name: "an aborted signal rejects the dial with its reason",
    check: async (fixture) => {
      const reason = new Error("changed my mind");
      const error = await rejectionOf(fixture.dial(AbortSignal.abort(reason)), "a dial with an aborted signal");
      expectEqual(error, reason, "what the dial rejects with");
      await fixture.harness.quiet();
    },
  },
  {
    name: "aborting during the dial rejects it with the reason, unless it was quicker",
    check: async (fixture) => {
      const reason = new Error("too slow");
      const controller = new AbortController();
      const dial = fixture.dial(controller.signal);
      controller.abort(reason);
      const outcome = await dial.then(
        () => "opened",
        (error: unknown) => error,
      );
      // A port needs no handshake and has its socket at once; a dial over a network has to wait.
      expectEqual(outcome, fixture.harness.dialMeetsListener ? reason : "opened", "what came of the dial");
      await fixture.harness.quiet();
    },
  },
  {
    name: "aborting after the dial does not touch the socket",
    check: async (fixture) => {
      const controller = new AbortController();
      const [near] = await fixture.connect(controller.signal);
      const nearSide = new Recorder("the dialler's end");
      near.open(nearSide);
      controller.abort(new Error("too late"));
      await fixture.harness.quiet();
      expectTrue(near.send(bytes(1)), "send takes the frame");
      expectEqual(nearSide.closes, [], "the closes at the dialler's end");
    },
  },
  {
    name: "a dial leaves no listener on the signal",
    check: async (fixture) => {
      const watched = new WatchedSignal();
      await fixture.dial(watched.signal);
      expectTrue(!watched.isHeard, "a signal without listeners once the dial is over");
    },
  },
  {
    name: "dialling after stop fails with an error that says where, unless there is no telling",
    check: async (fixture) => {
      const { address } = fixture.harness.listener;
      await fixture.stop();
      const outcome = await fixture.dial(new AbortController().signal).then(() => "opened", String);
      expectWords(outcome, fixture.harness.dialMeetsListener ? address : "opened", "what came of the dial");
      expectEqual(fixture.accepted.length, 0, "the number of accepted sockets");
    },
  },
];

/** In the order to read them in. */
export const listenerCases: readonly SocketCase[] = [...stopping, ...starting, ...dialling];
