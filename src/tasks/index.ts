/** Typed tasks: several functions of ordinary values at a worker, and an object that calls them. */
export {
  type CallOf,
  client,
  type Client,
  type ClientOf,
  type ClientOptions,
  type ClientTask,
  type InputOf,
  type ResultOf,
  type RowOf,
  type RowOfContext,
  type TaskCall,
  type TaskCallOptions,
  type TaskMap,
  type TaskMapOptions,
  type TaskRunner,
  type TaskStreamCall,
  type TaskStreamOptions,
} from "./client.ts";
export {
  task,
  type CheckedTask,
  type Invalid,
  type Issue,
  type PathPart,
  type Schema,
  type SchemaTypes,
  type TaskContext,
  type TaskFunction,
  type TaskSpec,
  type Valid,
  type Validated,
} from "./task.ts";
export type { Stream, StreamCall } from "./stream.ts";
export { tasks, type TaskRecord, type Tasks, type TasksOptions } from "./tasks.ts";
export { transfer } from "./transfer.ts";
export type { ErrorClass } from "./error-classes.ts";
export { cbor, type CborOptions, type ValueClass } from "./value/cbor.ts";
export type { Hole } from "../core/job/holed-bytes.ts";
export type { ApartBuffers, EncodedValue, HoleCodec, ValueCodec } from "./value/value-codec.ts";
