/**
 * A socket over the WebSocket class of `ws`, for both ends: binary messages as they come, without copies, and the errors of `ws`
 * as close reasons.
 */
import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import { systemClock } from "../../../core/time/system.ts";
import { TokenBucket } from "../../../core/time/token-bucket.ts";
import type { Peer } from "../../../core/peer.ts";
import type { CloseReason, SocketLimits } from "../../../core/transport/socket.ts";
import { closeFrame, closeReason, NOT_BINARY, TOO_MANY_PINGS, TOO_MANY_PINGS_FRAME } from "../close-codes.ts";
import { meterFrames } from "./frames.ts";
import { type WebSocketAdapter, WebSocketSocket } from "../adapter.ts";

/** How long a closing handshake may take before the connection is cut, in ms. */
const CLOSE_TIMEOUT_MS = 1_000;
/** Pings and pongs a peer may send a second, and at once. No peer of ours sends any. */
const CONTROL_BUDGET = { refill: 1, burst: 64 };

/** What both ends ask of `ws`. Its type definitions lag behind; these are options of 8.23. */
export interface WireSettings {
  readonly perMessageDeflate: false;
  readonly maxPayload: number;
  readonly maxFragments: number;
  readonly maxBufferedChunks: number;
  readonly autoPong: false;
  readonly closeTimeout: number;
}

/** About what `ws` keeps of a fragment besides its bytes. */
const FRAGMENT_COST_BYTES = 128;
const MIN_FRAGMENTS = 64;

/**
 * Compression is off as a bomb needs it. A browser sends a large message in fragments of its own making: their number is bounded
 * by what they cost, as much as the message may. A frame arrives in as many chunks as the network likes, which pieces.ts collects.
 */
export function wireSettings(maxFrameBytes: number): WireSettings {
  return {
    perMessageDeflate: false,
    maxPayload: maxFrameBytes,
    maxFragments: Math.max(MIN_FRAGMENTS, Math.ceil(maxFrameBytes / FRAGMENT_COST_BYTES)),
    maxBufferedChunks: 0,
    autoPong: false,
    closeTimeout: CLOSE_TIMEOUT_MS,
  };
}

const BINARY = { binary: true } as const;
const TOO_LARGE: CloseReason = { code: "too-large", message: "a frame is over the limit" };

/** `ws` marks what the peer did wrong with codes of its own; everything else is the network's. */
function errorReason(error: Error & { code?: unknown }): CloseReason {
  const code = typeof error.code === "string" ? error.code : "";
  if (code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return TOO_LARGE;
  return { code: code.startsWith("WS_ERR_") ? "violation" : "error", message: error.message };
}

/** A plain view of what `ws` delivers, which is a Buffer as long as `binaryType` is left alone. */
function viewOf(data: RawData): Uint8Array | undefined {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return Array.isArray(data) ? undefined : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

interface HandleLike {
  readonly writeQueueSize?: unknown;
}

/** What Node's own idle timer goes by, to tell how much of a large write has left. Below TLS it is the parent that sends. */
interface WriteProgress {
  readonly _handle?: (HandleLike & { readonly _parent?: HandleLike }) | null;
  readonly _writableState?: { readonly writelen?: unknown };
}

/** Bytes of the write under way that have left already: a stream counts it in full until all of it has. */
function leftOfWrite({ _handle: handle, _writableState: state }: WriteProgress): number {
  const { _parent: sender = handle } = handle ?? {};
  const queued = sender?.writeQueueSize;
  const length = state?.writelen;
  return typeof queued === "number" && typeof length === "number" ? Math.max(0, length - queued) : 0;
}

/** Less may be counted in full: it leaves at once, or the peer does not read. */
const MIN_COUNTED_BYTES = 65_536;

class NodeAdapter implements WebSocketAdapter {
  readonly hidesParts = false;
  readonly #ws: WebSocket;
  readonly #tcp: Duplex & WriteProgress;

  constructor(ws: WebSocket, tcp: Duplex) {
    this.#ws = ws;
    this.#tcp = tcp;
  }

  get isOpen(): boolean {
    return this.#ws.readyState === this.#ws.OPEN;
  }

  get isPaused(): boolean {
    return this.#ws.isPaused;
  }

  get bufferedBytes(): number {
    const bytes = this.#ws.bufferedAmount;
    return bytes < MIN_COUNTED_BYTES ? bytes : bytes - leftOfWrite(this.#tcp);
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    this.#ws.send(frame, BINARY);
  }

  close(reason: CloseReason): void {
    const { standard, text } = reason === TOO_MANY_PINGS ? TOO_MANY_PINGS_FRAME : closeFrame(reason.code);
    this.#ws.close(standard, text);
  }
}

/**
 * Makes a socket of a WebSocket of `ws` that has just opened over `tcp`, and was made with {@link wireSettings}. To be called
 * in the turn in which it opened: later, part of what came is missed.
 */
export function nodeSocket(ws: WebSocket, tcp: Duplex, peer: Peer, limits: SocketLimits): WebSocketSocket {
  const socket = new WebSocketSocket(new NodeAdapter(ws, tcp), peer, limits.maxFrameBytes);
  meterFrames(ws, tcp, socket, limits);
  ws.on("message", (data, isBinary) => {
    const bytes = isBinary ? viewOf(data) : undefined;
    if (bytes === undefined) socket.failed(NOT_BINARY);
    else socket.received(bytes);
  });
  ws.on("error", (error) => socket.failed(errorReason(error)));
  ws.on("close", (code) => socket.ended(closeReason(code)));
  answerPings(ws, () => socket.failed(TOO_MANY_PINGS));
  return socket;
}

/**
 * Answers pings, each of which is cheap for the asker only, up to a budget; beyond it `onTooMany` is called, which closes. A pong
 * counts, too: nothing asks for any.
 */
export function answerPings(ws: WebSocket, onTooMany: () => void): void {
  let budget: TokenBucket | undefined;
  const isAllowed = (): boolean => {
    if (ws.readyState !== ws.OPEN) return false;
    const now = systemClock.now();
    budget ??= new TokenBucket(CONTROL_BUDGET, now);
    if (budget.spend(now)) return true;
    onTooMany();
    return false;
  };
  ws.on("ping", (data) => {
    if (isAllowed()) ws.pong(data);
  });
  ws.on("pong", isAllowed);
}
