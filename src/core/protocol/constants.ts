/**
 * The numbers of protocol version 1: codes, flags and bounds that encoder.ts and decoder.ts share. No code here ever
 * changes its meaning; a new one needs a new protocol version. docs/protocol.md has the same tables for people.
 */
import type { CancelCode, FailureCode, GoAwayReason, Message, RejectReason, WireErrorCode } from "./message.ts";

/** One number a name, within one byte. */
export type Codes<Name extends string> = Readonly<Record<Name, number>>;

/** The first byte of each message. */
export const MESSAGE_CODES: Codes<Message["type"]> = Object.freeze({
  HELLO: 0x01,
  WELCOME: 0x02,
  PING: 0x03,
  PONG: 0x04,
  JOB: 0x10,
  JOBRES: 0x11,
  JOBERR: 0x12,
  REJECT: 0x13,
  CANCEL: 0x14,
  CANCELLED: 0x15,
  ITEM: 0x16,
  CREDIT: 0x17,
  PROGRESS: 0x18,
  INPUT: 0x19,
  INPUTEND: 0x1a,
  FAILED: 0x1b,
  REMOVE: 0x20,
  REMOVED: 0x21,
  GOAWAY: 0x22,
  CAPACITY: 0x23,
  WAITING: 0x24,
  STARTED: 0x25,
  ERROR: 0x7f,
});

/** Why a worker hands a job back. Code 4 is reserved. */
export const REJECT_CODES: Codes<RejectReason> = Object.freeze({ draining: 1, overloaded: 2, recalled: 3, unfit: 5 });

/** Why a relay could not have a job run. */
export const FAILURE_CODES: Codes<FailureCode> = Object.freeze({
  lost: 1,
  maxQueue: 2,
  maxQueueBytes: 3,
  acquire: 4,
  queue: 5,
  encoding: 6,
  bystander: 7,
});

/** Why a runner cancels an attempt. */
export const CANCEL_CODES: Codes<CancelCode> = Object.freeze({
  cancelled: 1,
  timeout: 2,
  deadline: 3,
  stopped: 4,
  recalled: 5,
});

/** Why a runner sends a worker away. */
export const GOAWAY_CODES: Codes<GoAwayReason> = Object.freeze({ stopping: 1, draining: 2 });

/** What an ERROR speaks of. */
export const ERROR_CODES: Codes<WireErrorCode> = Object.freeze({
  PROTOCOL: 1,
  VERSION: 2,
  UNAUTHORIZED: 3,
  ID_TAKEN: 4,
  FLAPPING: 5,
  BUSY: 6,
  REPLACED: 7,
  UNRESPONSIVE: 8,
  TOO_SLOW: 9,
});

/** A table turned round: the name at the place of its code. */
export function invert<Name extends string>(codes: Codes<Name>): readonly (Name | undefined)[] {
  const names: (Name | undefined)[] = [];
  // Object.entries forgets the key type; the table has no other keys.
  for (const [name, code] of Object.entries<number>(codes) as [Name, number][]) names[code] = name;
  // No holes: reading one is slower than reading `undefined`.
  return Array.from(names);
}

/** Type byte and body length, before each body. */
export const HEAD_BYTES = 5;
/** Bits of the feature mask of HELLO and WELCOME. Bit 5 is for sockets that carry buffers beside a frame. */
export const FEATURE: Readonly<
  Record<
    "tasks" | "streams" | "inputs" | "progress" | "details" | "attachments" | "relay" | "capacity" | "turns",
    number
  >
> = Object.freeze({
  tasks: 1 << 0,
  streams: 1 << 1,
  inputs: 1 << 2,
  progress: 1 << 3,
  details: 1 << 4,
  attachments: 1 << 5,
  relay: 1 << 6,
  capacity: 1 << 7,
  turns: 1 << 8,
});
/** The features that this library speaks on every socket. */
export const SUPPORTED_FEATURES: number =
  FEATURE.tasks |
  FEATURE.streams |
  FEATURE.inputs |
  FEATURE.progress |
  FEATURE.details |
  FEATURE.relay |
  FEATURE.capacity |
  FEATURE.turns;

/** The features on a socket of this kind. */
export function featuresOn({ attachments }: { readonly attachments?: unknown }): number {
  return attachments === undefined ? SUPPORTED_FEATURES : SUPPORTED_FEATURES | FEATURE.attachments;
}

/** The code in JOBERR of a result over the runner's limit. */
export const RESULT_TOO_LARGE = "RESULT_TOO_LARGE";

/** Bit 0 of the flags of HELLO, JOB, JOBRES, JOBERR, ITEM, INPUT and PROGRESS. */
export const FLAG_0 = 1;
/**
 * Bit 1 of the flags of HELLO (the prefetch limit follows, last), JOB (a stream goes on: the number of items that were read follows,
 * next), JOBRES and JOBERR (the duration follows, next).
 */
export const FLAG_1 = 2;
/** Bit 2 of the flags of HELLO (the worker is a relay), JOB (the name of its task follows, next) and JOBERR (details follow). */
export const FLAG_2 = 4;
/**
 * Bit 3 of the flags of JOB (a stream is taken: its credit follows, next), JOBRES (a stream ends) and JOBERR (the fields of its
 * errors follow as a value, last).
 */
export const FLAG_3 = 8;
/** Bit 4 of the flags of JOB (a stream goes in). */
export const FLAG_4 = 16;
/** Bit 5 of the flags of JOB (PROGRESS is listened to). */
export const FLAG_5 = 32;
/** Bit 6 of the flags of JOB (its route follows, next), JOBRES and JOBERR (the path follows, next). */
export const FLAG_6 = 64;
/** Bit 7 of the flags of JOB, JOBRES and ITEM (buffers stand apart: their places follow, right before the payload). */
export const FLAG_7 = 128;
/** The most paths that a JOB tells to avoid. */
export const MAX_AVOIDED = 16;
/** What an item costs besides its bytes, so that a million empty ones are not free. */
export const ITEM_COST = 64;
/** The most bytes of a PROGRESS. */
export const MAX_PROGRESS_BYTES: number = 8 * 1024;
/** A ttl of this many ms means no limit. */
export const NO_LIMIT = 0xffff_ffff;

/** The longest texts for people, in bytes of UTF-8; both ends cut longer ones. */
export const TEXT_BYTES: Readonly<Record<"name" | "message" | "code" | "stack" | "details" | "text", number>> =
  Object.freeze({
    name: 256,
    message: 8 * 1024,
    code: 256,
    stack: 16 * 1024,
    details: 16 * 1024,
    text: 1024,
  });

/** The most bytes of the fields of an error as a value. What is over it is left out. */
export const MAX_ERROR_VALUES: number = 16 * 1024;

/** How deep the causes of an error are told. */
export const MAX_DETAIL_DEPTH = 8;

/** The most that is prefetched by measure: more would not make a worker of very short jobs any busier. */
export const MAX_MEASURED_PREFETCH = 128;

/** The most jobs a worker accepts before a slot is free. */
export const MAX_PREFETCH: number = 256;
