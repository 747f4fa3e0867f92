import { describe, expect, it } from "vitest";
import { type Books, reconcile, type Settlement, type Start, type Submission } from "./reconcile.ts";

/** A job that a thread lost and a host's thread answered. */
const submission: Submission = { key: "k1", kind: "plain", expected: "hash", attempts: 3, maxLost: 2 };
const starts: readonly Start[] = [
  { key: "k1", jobId: "run:1", attempt: 1, path: "thread-1" },
  { key: "k1", jobId: "run:1", attempt: 2, path: "host-1/thread-2" },
];
const [first = never(), second = never()] = starts;
const settlement: Settlement = {
  key: "k1",
  jobId: "run:1",
  value: "hash run:1 2",
  records: [
    { identity: "thread-1", outcome: "lost" },
    { identity: "host-1", outcome: "ok" },
  ],
};

function never(): never {
  throw new Error("a list that is not empty");
}

function problems(change: Partial<Books>, bystanders?: number): readonly string[] {
  return reconcile({ submissions: [submission], settlements: [settlement], starts, ...change }, bystanders);
}

describe("two books that agree", () => {
  it("have no problems", () => {
    expect(problems({})).toEqual([]);
  });

  it("may have attempts that never started, and hand-backs that are no attempts", () => {
    const lost = { identity: "host-2", outcome: "lost" };
    const rejected = { identity: "broker", outcome: "rejected" };
    const records = [rejected, lost, rejected, { identity: "host-1/thread-2", outcome: "ok" }];
    expect(problems({ starts: [second], settlements: [{ ...settlement, records }] })).toEqual([]);
  });
});

describe("a planted fault is found", () => {
  const cases: readonly (readonly [string, Partial<Books>, string])[] = [
    [
      "a start that is doubled",
      { starts: [...starts, { ...second, path: "host-1/thread-1" }] },
      "attempt 2 started twice",
    ],
    [
      "a start elsewhere than told",
      { starts: [first, { ...second, path: "host-11/thread-1" }] },
      "attempt 2 started at host-11/thread-1 and is told to be host-1's",
    ],
    [
      "a start beyond what is told",
      { starts: [...starts, { ...first, attempt: 3 }] },
      "attempt 3 started at thread-1, and its caller is told of no such attempt",
    ],
    [
      "a start of a job never submitted",
      { starts: [...starts, { ...first, key: "k2" }] },
      "k2: started and never submitted",
    ],
    ["another token", { starts: [first, { ...second, jobId: "run:2" }] }, "one job has the ids run:1, run:2"],
    ["an answer without a start", { starts: [first] }, "attempt 2 is told as ok of host-1 and never started"],
    [
      "more starts than attempts",
      { submissions: [{ ...submission, attempts: 1 }] },
      "2 starts, and 1 attempts allowed",
    ],
    ["a call that is lost", { settlements: [] }, "k1: never settled"],
    ["a call that settles twice", { settlements: [settlement, settlement] }, "settled 2 times"],
    ["a job submitted twice", { submissions: [submission, submission] }, "submitted 2 times"],
    ["a wrong result", { settlements: [{ ...settlement, value: "hush run:1 2" }] }, "a wrong result: hush run:1 2"],
    [
      "the result of an attempt that was over",
      { settlements: [{ ...settlement, value: "hash run:1 1" }] },
      "the result is of attempt 1, and the last one was 2",
    ],
    [
      "another job's result",
      { settlements: [{ ...settlement, value: "hash run:7 2" }] },
      "the result is of job run:7, and the call's is run:1",
    ],
    [
      "an innocent job that fails",
      { settlements: [{ key: "k1", code: "WORKER_LOST", records: settlement.records }] },
      "a plain job ended with WORKER_LOST",
    ],
    [
      "a loss beyond maxLost",
      { submissions: [{ ...submission, maxLost: 0 }] },
      "1 losses beyond maxLost, and 0 explained",
    ],
  ];

  it.each(cases)("%s", (_, change, said) => {
    expect(problems(change)).toContainEqual(expect.stringContaining(said));
  });

  it("unless a bystander's loss explains it", () => {
    expect(problems({ submissions: [{ ...submission, maxLost: 0 }] }, 1)).toEqual([]);
  });
});
