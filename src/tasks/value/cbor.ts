/**
 * The default codec: the CBOR profile "Powerhose values" of docs/protocol.md, with the classes that an application registers. What
 * is written is in value-encoder.ts, what is read in value-decoder.ts.
 */
import { checkedCopy, defineOptions, hasMethods, type Validator } from "../../core/options.ts";
import { MAX_WRITE_DEPTH } from "./cbor-profile.ts";
import { KeyCache } from "./key-cache.ts";
import type { ApartBuffers, EncodedValue, HoleCodec } from "./value-codec.ts";
import { ValueDecoder, type Revive } from "./value-decoder.ts";
import { ValueEncoder, type Reduce } from "./value-encoder.ts";

/** How the instances of one class travel. Both ends register it under the same name. */
export interface ValueClass {
  /** Whether it is one of them. Asked for each object that has no form of its own. */
  is(instance: object): boolean;
  /** Returns what stands for an instance: any value that can be carried. */
  to(instance: object): unknown;
  /** Returns the instance. What it is given comes from a peer, and it throws when that will not do. */
  from(value: unknown): unknown;
}

/** Options of {@link cbor}. */
export interface CborOptions {
  /** Classes by the name they have on the wire. None unless given. */
  readonly classes?: Readonly<Record<string, ValueClass>> | undefined;
}

const isValueClass = hasMethods("an object with the methods `is`, `to` and `from`", "is", "to", "from");

const areValueClasses: Validator = (value) => {
  if (typeof value !== "object" || value === null) return "a record of classes";
  const wrong = Object.entries(value).find(([, one]) => isValueClass(one) !== undefined);
  return wrong === undefined ? undefined : `a record of objects with the methods is, to and from (${wrong[0]} is none)`;
};

const options = defineOptions<CborOptions, never>({ classes: [areValueClasses] });

/**
 * Returns the default codec of typed tasks: CBOR that keeps `undefined`, dates, bigints, maps, sets, bytes and typed arrays. What it
 * cannot carry is refused with the path to it: functions, symbols, promises, cycles, and instances of classes that are not registered.
 *
 * @throws TypeError for options that do not fit.
 */
export function cbor(given: CborOptions = {}): HoleCodec {
  return new Cbor(checkedCopy("cbor", given, options.rules).classes ?? {});
}

class Cbor implements HoleCodec {
  readonly name = "cbor";
  readonly #classes: ReadonlyMap<string, ValueClass>;
  readonly #keys = new KeyCache();
  /** The encoder, while nothing is encoded: a getter of what is being encoded may encode, too. */
  #idle: ValueEncoder | undefined;

  constructor(classes: Readonly<Record<string, ValueClass>>) {
    this.#classes = new Map(Object.entries(classes));
  }

  encode(value: unknown, root = "value"): Uint8Array {
    return this.#encode(value, root).bytes;
  }

  encodeWithHoles(value: unknown, buffers: ApartBuffers, root = "value"): EncodedValue {
    return this.#encode(value, root, buffers);
  }

  decode(bytes: Uint8Array): unknown {
    return this.decodeWithHoles({ bytes, holes: [] });
  }

  decodeWithHoles(encoded: EncodedValue): unknown {
    return new ValueDecoder(encoded, this.#keys, this.#revive).decode();
  }

  #encode(value: unknown, root: string, buffers?: ApartBuffers): EncodedValue {
    const encoder = this.#idle ?? new ValueEncoder(this.#reduce, MAX_WRITE_DEPTH);
    this.#idle = undefined;
    try {
      return encoder.encode(value, root, buffers);
    } finally {
      this.#idle = encoder;
    }
  }

  readonly #reduce: Reduce = (instance) => {
    for (const [name, one] of this.#classes) if (one.is(instance)) return { name, value: one.to(instance) };
    return undefined;
  };

  readonly #revive: Revive = (name, value) => {
    const known = this.#classes.get(name);
    if (known === undefined) throw new TypeError("no class of that name is registered");
    return known.from(value);
  };
}
