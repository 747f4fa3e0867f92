// node --test: the handler that is mended, in some hundred worlds of each kind.
import assert from "node:assert/strict";
import test from "node:test";
import { simulate } from "powerhose/testing";
import { mended } from "./billing.js";
import { runnerCrashes, storm, workerCrashes } from "./worlds.js";

test("a customer pays once when the worker crashes", async () => {
  const { sometimes } = await simulate({ seeds: 200 }, workerCrashes(mended));
  assert.ok(sometimes.get("retry after a loss") > 0); // it did crash in the middle
});

test("a customer pays once when the runner crashes", async () => {
  const { sometimes } = await simulate({ seeds: 200 }, runnerCrashes(mended));
  assert.ok(sometimes.get("runner restarted") > 0);
});

test("every customer pays once, whatever happens", async () => {
  const { sometimes } = await simulate({ seeds: 10 }, storm(mended));
  assert.ok(sometimes.get("retry succeeded") > 0);
});
