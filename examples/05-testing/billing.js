// Handlers that charge customers. The bank comes from outside, so that a test can bring another.

/** Charges the order that the job names, and again when the job is run again: a bug. */
export const naive =
  (bank) =>
  (job, { signal }) =>
    bank.charge(job.data, { signal });

/** Charges it once, however often it is run: by the order's own key, or else by the name of the job. */
export const mended =
  (bank) =>
  (job, { jobId, signal }) =>
    bank.charge(job.data, { key: job.headers.get("idempotency-key") ?? jobId, signal });
