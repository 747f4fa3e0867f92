/**
 * The entry point `powerhose`: everything but transports, threads, browser and testing, which have entry points of their own.
 */
export type { PooledWorker } from "./core/pool/scheduler.ts";
export type { AcquireOptions, WorkersOptions } from "./core/pool/workers.ts";
export { Workers } from "./core/pool/workers.ts";
export type { Clock, Random, TimerHandle } from "./core/time/clock.ts";
export type { ExecuteDefaults, ExecuteOptions } from "./core/job/execute-options.ts";
export { EXECUTE_DEFAULTS } from "./core/job/execute-options.ts";
export * from "./core/errors.ts";
export * from "./core/events.ts";
export { systemClock, systemRandom } from "./core/time/system.ts";
export type { JobHeaders } from "./core/job/job.ts";
export type { InputSource } from "./core/job/input-source.ts";
export type { PayloadStream } from "./core/job/payload-stream.ts";
export type { JobLimits } from "./core/job/headers.ts";
export { Job, JOB_LIMITS } from "./core/job/job.ts";
export type { WorkerLease } from "./core/runner/worker-lease.ts";
export type { Failure, MapInput, MapOptions, MapOptionsOf, Outcome, Success } from "./core/dispatch/map.ts";
export { MAP_DEFAULTS } from "./core/dispatch/map.ts";
export type { Payload } from "./core/peer.ts";
export type { Prefetch } from "./core/session/prefetch.ts";
export type { WithDefaults } from "./core/options.ts";
export type { RegistrationLimits, RegistrationOptions } from "./core/runner/registration.ts";
export { REGISTRATION_DEFAULTS, WorkerRegistration } from "./core/runner/registration.ts";
export { RESERVED_PRINCIPALS } from "./core/transport/principal.ts";
export { relay } from "./core/relay.ts";
export { JobRunner } from "./core/runner/runner.ts";
export type { DrainOptions, RunnerOptions } from "./core/runner/runner-options.ts";
export { RUNNER_DEFAULTS } from "./core/runner/runner-options.ts";
export type { Session } from "./core/session/session.ts";
export type { SessionState } from "./core/stats.ts";
export type { AsyncContext, JobContexts } from "./core/time/async-context.ts";
export { CLAIM_BYTES, SharedClaims } from "./core/transport/shared-claims.ts";
export type {
  Claims,
  CloseCode,
  CloseReason,
  FaultProfile,
  Receiver,
  Socket,
  SocketLimits,
} from "./core/transport/socket.ts";
export type { IncomingBytes, IncomingOwner, IncomingReservation } from "./core/transport/socket.ts";
export type { AttachmentKind, Peer } from "./core/peer.ts";
export type { Dialer, Listener, ListenerContext, RunnerControls, RunnerView } from "./core/transport/listener.ts";
export { Inbox } from "./core/transport/inbox.ts";
export type { RunnerStats, TaskStats, WaitingStats, WorkerStats } from "./core/stats.ts";
export type { Handler, HandlerResult, JobContext } from "./core/worker/execution.ts";
export type { JobInput } from "./core/worker/input-stream.ts";
export type { JobRelay } from "./core/worker/job-relay.ts";
export { Worker } from "./core/worker/worker.ts";
export type { WarningReporter } from "./core/worker/warnings.ts";
export type { WorkerDefaults, WorkerOptions } from "./core/worker/worker-options.ts";
export { WORKER_DEFAULTS } from "./core/worker/worker-options.ts";
