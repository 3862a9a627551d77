// What happens to the worker's sockets, as records in the ring: kind, socket and length, four bytes each, then the content.
import { type Bytes } from '../wire/codec';
import { type RingReader } from './ring';

/** opened, closed, free: the socket says so; message: its bytes; text: a message of characters, which nobody here reads. */
export const RECORD = { opened: 1, message: 2, text: 3, closed: 4, free: 5 } as const;
export type RecordKind = (typeof RECORD)[keyof typeof RECORD];

export interface SocketRecord {
  kind: number;
  socket: number;
  content: Bytes;
}

const HEAD = 12;
const EMPTY: Bytes = new Uint8Array(0);

/** What goes before a content of this length. */
export function recordHead(kind: RecordKind, socket: number, length: number): Bytes {
  const head = new DataView(new ArrayBuffer(HEAD));
  [kind, socket, length].forEach((value, at) => head.setUint32(at * 4, value));
  return new Uint8Array(head.buffer);
}

/** Puts records together, which may be longer than the ring they come through. */
export class RecordReader {
  private readonly head = new Uint8Array(HEAD);
  private content: Bytes | undefined;
  /** Bytes of the head or of the content that are there. */
  private filled = 0;

  constructor(private readonly ring: RingReader) {}

  /** The next record; `undefined`: it is not there yet, or not all of it. */
  next(): SocketRecord | undefined {
    const view = new DataView(this.head.buffer);
    if (this.content === undefined) {
      if (!this.fill(this.head)) return undefined;
      const length = view.getUint32(8);
      this.content = length === 0 ? EMPTY : new Uint8Array(length);
    }
    const { content } = this;
    if (!this.fill(content)) return undefined;
    this.content = undefined;
    return { kind: view.getUint32(0), socket: view.getUint32(4), content };
  }

  private fill(into: Bytes): boolean {
    this.filled += this.ring.read(into.subarray(this.filled));
    if (this.filled < into.length) return false;
    this.filled = 0;
    return true;
  }
}
