/** What a transport knows of the other end of a connection, and what a job and its result carry. */

/** The other end according to the transport. Never what the peer claims in a frame. */
export interface Peer {
  /** The transport's name: `memory`, `message-port`, `websocket`, `thread`. For people to read. */
  readonly transport: string;
  /** Where the peer is, for people to read: `127.0.0.1:50214`, `thread 3`. */
  readonly address: string;
  /** The party the transport authenticated. Identities belong to principals; two peers of one principal may replace each other. */
  readonly principal: string;
  /** The only identity it may register by, if the transport has one for it. */
  readonly identity?: string | undefined;
}

/** What a job's data and a handler's result may be. */
export type Payload = string | Uint8Array;

/** What a transport hands over beside bytes, without a copy: buffers that change hands, or shared memory as well. */
export type AttachmentKind = "transferred" | "shared";
