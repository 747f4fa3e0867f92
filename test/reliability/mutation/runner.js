/**
 * Runs the tests of the core for StrykerJS, in its own process and without starting anything for a mutant: all that
 * changes from one to the next is the number of the active one. vitest's runner starts a thread for each, which costs more
 * than most of these tests. What Stryker does (mutants, their order, timeouts, the score) is Stryker's.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { INSTRUMENTER_CONSTANTS } from "@stryker-mutator/api/core";
import { declareFactoryPlugin, PluginKind } from "@stryker-mutator/api/plugin";
import { DryRunStatus, TestStatus, toMutantRunResult } from "@stryker-mutator/api/test-runner";

const FOLDER = "test/core";
/** What the first run has shown, for the processes that follow the one it was in. */
const FIRST_RUN = ".stryker-tmp/first-run.json";
/** How long nothing else may be under way, in ms, before a test that still waits is taken to wait for ever. */
const IDLE = 500;
/** How long a test may take in the first run, and more than it took then with a mutant; in ms. */
const FIRST_PATIENCE = 60_000;
const PATIENCE = 3_000;
/** How much more often than then it may come by the mutant, before it is taken to go round for ever. */
const MAX_HITS = 100;

// Taken when this file loads: a test may replace it for a while.
const nextTurn = setImmediate;

class WarmRunner {
  #collect;
  #tests = [];
  #loads = 0;
  /** Of each test, how many ms it took (the quick ones go first), and how often it came by each mutant. */
  #first = { took: {}, hits: {} };

  capabilities() {
    return { reloadEnvironment: true };
  }

  async init() {
    register("./hooks.js", import.meta.url);
    // What a mutant leaves behind may fail later, while another one is active.
    process.on("unhandledRejection", () => undefined);
    process.on("uncaughtException", () => undefined);
    ({ collect: this.#collect } = await import("./vitest.js"));
  }

  async dryRun() {
    const state = this.#state();
    state.activeMutant = undefined;
    await this.#load();
    const results = [];
    for (const test of this.#tests) {
      state.currentTestId = test.id;
      const result = await runOne(test, FIRST_PATIENCE);
      state.currentTestId = undefined;
      this.#first.took[test.id] = result.timeSpentMs;
      results.push(result);
    }
    this.#first.hits = state.mutantCoverage?.perTest ?? {};
    writeFileSync(FIRST_RUN, JSON.stringify(this.#first));
    return { status: DryRunStatus.Complete, tests: results, mutantCoverage: state.mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, mutantActivation, reloadEnvironment }) {
    const state = this.#state();
    state.hitCount = undefined;
    state.activeMutant = mutantActivation === "static" ? activeMutant.id : undefined;
    try {
      if (this.#loads === 0) this.#first = JSON.parse(readFileSync(FIRST_RUN, "utf8"));
      if (reloadEnvironment || this.#loads === 0) await this.#load();
      state.activeMutant = activeMutant.id;
      const tests = await this.#untilOneFails(activeMutant.id, testFilter);
      return toMutantRunResult({ status: DryRunStatus.Complete, tests });
    } catch (error) {
      // It does not even load with this mutant: every test fails.
      const failed = { ...about({ id: "load", name: "load", fileName: "" }, 0), ...failure(error) };
      return toMutantRunResult({ status: DryRunStatus.Complete, tests: [failed] });
    } finally {
      state.activeMutant = undefined;
      state.hitCount = undefined;
    }
  }

  /** Runs the tests, the quick ones first, until one fails. */
  async #untilOneFails(mutantId, testFilter) {
    const state = this.#state();
    const wanted = testFilter === undefined ? undefined : new Set(testFilter);
    const tests = this.#tests.filter(({ id }) => wanted === undefined || wanted.has(id));
    const { took, hits } = this.#first;
    tests.sort((a, b) => took[a.id] - took[b.id]);
    const results = [];
    for (const test of tests) {
      // Stryker's own limit is for all tests together: a loop without end would go round for minutes.
      state.hitLimit = MAX_HITS * (1 + (hits[test.id]?.[mutantId] ?? 0));
      state.hitCount = 0;
      const result = await runOne(test, 20 * took[test.id] + PATIENCE);
      results.push(result);
      if (result.status === TestStatus.Failed) break;
    }
    return results;
  }

  /** Imports all test files, and with them the core, anew. */
  async #load() {
    this.#loads++;
    const tests = [];
    for (const file of readdirSync(FOLDER, { recursive: true }).filter((name) => name.endsWith(".test.ts"))) {
      const url = `${pathToFileURL(resolve(FOLDER, file)).href}?load=${this.#loads}`;
      tests.push(...(await this.#collect(file, () => import(url))));
    }
    this.#tests = tests;
  }

  #state() {
    return (globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE] ??= {});
  }
}

function about({ id, name, fileName }, timeSpentMs) {
  return { id, name, fileName: resolve(FOLDER, fileName), timeSpentMs };
}

function failure(error) {
  return { status: TestStatus.Failed, failureMessage: error instanceof Error ? error.message : String(error) };
}

async function runOne(test, patience) {
  const start = performance.now();
  try {
    await orNever(test.run, start + patience);
    return { ...about(test, performance.now() - start), status: TestStatus.Success };
  } catch (error) {
    return { ...about(test, performance.now() - start), ...failure(error) };
  }
}

/** What the test settles to; rejects when it cannot settle any more, as nothing in this process is under way, or by `end`. */
async function orNever(run, end) {
  const before = heldBy();
  const promise = Promise.resolve(run());
  return new Promise((settle, reject) => {
    let over = false;
    let busyAt = performance.now();
    promise.then(settle, reject).finally(() => (over = true));
    const look = () => {
      if (over) return;
      const now = performance.now();
      if (turnsAhead() > 0 || heldBy() > before) busyAt = now;
      if (now - busyAt > IDLE || now > end) reject(new Error("it never ends"));
      else nextTurn(look);
    };
    nextTurn(look);
  });
}

function turnsAhead() {
  return process.getActiveResourcesInfo().filter((type) => type === "Immediate").length;
}

function heldBy() {
  return process.getActiveResourcesInfo().filter((type) => type !== "Immediate").length;
}

function create() {
  return new WarmRunner();
}
create.inject = [];

export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, "warm", create)];
