/** The front door: everything that is not a transport. */
export type { AcquireOptions, PooledWorker, WorkersOptions } from "./core/workers.ts";
export { Workers } from "./core/workers.ts";
export type { Clock, Entropy, TimerHandle } from "./core/clock.ts";
export type { ExecuteOptions } from "./core/execute-options.ts";
export { EXECUTE_DEFAULTS } from "./core/execute-options.ts";
export * from "./core/errors.ts";
export * from "./core/events.ts";
export { hostClock, hostEntropy } from "./core/host.ts";
export type { JobHeaders } from "./core/job.ts";
export type { JobLimits } from "./core/headers.ts";
export { Job, JOB_LIMITS } from "./core/job.ts";
export type { HeldWorker } from "./core/held-worker.ts";
export type { Failure, MapInput, MapOptions, Outcome, Success } from "./core/map.ts";
export type { Payload } from "./core/message.ts";
export type { Prefetch } from "./core/pace.ts";
export type { Filled } from "./core/options.ts";
export type { RegistrationLimits, RegistrationOptions } from "./core/registration.ts";
export { REGISTRATION_DEFAULTS, WorkerRegistration } from "./core/registration.ts";
export { RESERVED_PRINCIPALS } from "./core/principal.ts";
export { relay } from "./core/relay.ts";
export type { DrainOptions, RunnerOptions } from "./core/runner.ts";
export { JobRunner, RUNNER_DEFAULTS } from "./core/runner.ts";
export type { Session, SessionState } from "./core/session.ts";
export type {
  CloseCode,
  CloseReason,
  Dialer,
  FaultProfile,
  Listener,
  ListenerContext,
  Peer,
  Receiver,
  RunnerControls,
  RunnerView,
  Socket,
  SocketLimits,
} from "./core/socket.ts";
export { Inbox } from "./core/socket.ts";
export type { RunnerStats, WaitingStats, WorkerStats } from "./core/stats.ts";
export type { Handler, JobContext } from "./core/task.ts";
export { Worker } from "./core/worker.ts";
export type { WorkerDefaults, WorkerOptions } from "./core/worker-options.ts";
export { WORKER_DEFAULTS } from "./core/worker-options.ts";
