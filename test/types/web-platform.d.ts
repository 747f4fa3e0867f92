// The few web-platform names the core may use, and all that `src/core/time/system.ts` wraps. `tsconfig.core.json` compiles the
// core against these instead of the DOM or Node types, so that any other platform name in it is a compile error.

interface AbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, into: Uint8Array): { read: number; written: number };
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes: Uint8Array): string;
}
// Only for powerhose/tasks, which gives buffers away by it.
declare function structuredClone<T>(value: T, options?: { readonly transfer?: ArrayBuffer[] }): T;

// Only for system.ts; the linter bans these names in every other core file.
declare function setTimeout(callback: () => void, delay: number): unknown;
declare function clearTimeout(handle: unknown): void;
declare function queueMicrotask(callback: () => void): void;
declare var performance: { now(): number };
declare const crypto: { getRandomValues<T extends ArrayBufferView>(array: T): T };
declare class MessageChannel {
  readonly port1: { onmessage: ((event: unknown) => void) | null };
  readonly port2: { postMessage(message: unknown): void };
}

declare function structuredClone<T>(value: T, options?: { transfer?: readonly ArrayBuffer[] }): T;
