// What is to be sent of a class, and kept until it is acknowledged.
import { type Bytes, type Writer } from '../wire/codec';
import { MAX_MESSAGE, type Range, type State, type Stream, writeDataHead, writeState } from '../wire/link';
import { Ranges } from './ranges';

/** Bytes kept at most that the partner has not acknowledged. */
export const MAX_UNACKNOWLEDGED: Record<Stream, number> = { ordered: 4 << 20, input: 4 << 20, screen: 32 << 20 };
const HEAD = 1 + 1 + 8;

/** overflow: the partner has not acknowledged for too long; acknowledgement: it acknowledged what was never sent. */
export type LinkFault = 'overflow' | 'acknowledgement';

export class LinkError extends Error {
  override readonly name = 'LinkError';
  constructor(
    readonly fault: LinkFault,
    message: string,
  ) {
    super(message);
  }
}

interface Chunk {
  from: number;
  bytes: Bytes;
  /** A whole message; else the length before one. */
  message: boolean;
}

export class StreamOutbox {
  /** Everything below has arrived. */
  private base = 0;
  private end = 0;
  /** Everything below was sent at least once. */
  private sent = 0;
  private chunks: Chunk[] = [];
  private readonly arrived = new Ranges();
  private readonly lost = new Ranges();

  constructor(private readonly of: Stream) {}

  /** Takes a message, which must not be changed any more. Throws `LinkError`. */
  push(message: Bytes): void {
    if (message.length === 0 || message.length > MAX_MESSAGE) {
      throw new RangeError(`a message has 1 to ${MAX_MESSAGE} bytes, not ${message.length}`);
    }
    if (this.end - this.base + 4 + message.length > MAX_UNACKNOWLEDGED[this.of]) {
      throw new LinkError('overflow', 'the partner has not acknowledged for too long, connect again');
    }
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, message.length);
    this.chunks.push({ from: this.end, bytes: head, message: false });
    this.chunks.push({ from: this.end + 4, bytes: message, message: true });
    this.end += 4 + message.length;
  }

  get hasMore(): boolean {
    return !this.lost.isEmpty || this.sent < this.end;
  }

  get allArrived(): boolean {
    return this.base === this.end;
  }

  /** The messages of which not every byte is known to have arrived, oldest first. */
  get unacknowledged(): Bytes[] {
    return this.chunks.filter(({ from, bytes, message }) => message && from + bytes.length > this.base).map(({ bytes }) => bytes);
  }

  /** What goes next, at most `limit` bytes; lost ones first. `first`: none of it was sent before. */
  take(limit: number): { from: number; to: number; first: boolean } | undefined {
    const again = this.lost.first;
    if (again !== undefined) {
      const to = Math.min(again[1], again[0] + limit);
      const taken = { from: again[0], to, first: false };
      this.lost.remove(again[0], to);
      return taken;
    }
    if (this.sent >= this.end) return undefined;
    const from = this.sent;
    this.sent = Math.min(this.end, from + limit);
    return { from, to: this.sent, first: true };
  }

  /** Writes a piece with these bytes. */
  write(w: Writer, from: number, to: number): void {
    writeDataHead(w, this.of, from);
    let at = from;
    for (let index = this.indexOf(from); at < to; index += 1) {
      const chunk = this.chunks[index];
      if (chunk === undefined) throw new RangeError('bytes that are not kept any more');
      w.raw(chunk.bytes.subarray(at - chunk.from, to - chunk.from));
      at = chunk.from + chunk.bytes.length;
    }
  }

  static size(from: number, to: number): number {
    return HEAD + to - from;
  }

  /** Throws `LinkError` when it was never sent. */
  acknowledged(next: number, ranges: readonly Range[]): void {
    const highest = ranges.at(-1)?.[1] ?? next;
    if (highest > this.sent || next > this.sent) {
      throw new LinkError('acknowledgement', `byte ${highest - 1} of ${this.of} was acknowledged before it was sent`);
    }
    for (const [from, to] of ranges) {
      this.arrived.add(Math.max(from, this.base), to);
      this.lost.remove(from, to);
    }
    const first = this.arrived.first;
    const base = first !== undefined && first[0] <= next ? Math.max(next, first[1]) : next;
    if (base <= this.base) return;
    this.base = base;
    this.arrived.remove(0, base);
    this.lost.remove(0, base);
    const kept = this.indexOf(base);
    if (kept > 0) this.chunks.splice(0, kept);
  }

  hasArrived(from: number, to: number): boolean {
    return to <= this.base || this.arrived.has(Math.max(from, this.base), to);
  }

  /** These bytes are to be sent again, as far as they have not arrived. */
  lose(from: number, to: number): void {
    for (const [start, stop] of this.arrived.gaps(Math.max(from, this.base), to)) this.lost.add(start, stop);
  }

  /** Everything that has not arrived is to be sent again. */
  loseAll(): void {
    this.lose(this.base, this.sent);
  }

  /** Index of the chunk that holds this byte; at the end of the stream the number of chunks. */
  private indexOf(offset: number): number {
    let [low, high] = [0, this.chunks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const chunk = this.chunks[middle];
      if (chunk !== undefined && chunk.from + chunk.bytes.length <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export class StateOutbox {
  private next = 0;
  private newest: Bytes | undefined;
  private waiting = false;

  constructor(private readonly of: State) {}

  push(message: Bytes): void {
    this.newest = message;
    this.next += 1;
    this.waiting = true;
  }

  get hasMore(): boolean {
    return this.waiting && this.newest !== undefined;
  }

  /** The number that goes next; its message is written with `write`. */
  take(): { number: number; message: Bytes } | undefined {
    if (!this.waiting || this.newest === undefined) return undefined;
    this.waiting = false;
    return { number: this.next - 1, message: this.newest };
  }

  write(w: Writer, number: number, message: Bytes): void {
    writeState(w, this.of, number, message);
  }

  static size(message: Bytes): number {
    return HEAD + message.length;
  }

  /** Throws `LinkError` when it was never sent. */
  acknowledged(next: number): void {
    if (next > this.next) throw new LinkError('acknowledgement', `${this.of} ${next - 1} was acknowledged before it was sent`);
    if (next < this.next) return;
    this.newest = undefined;
    this.waiting = false;
  }

  hasArrived(number: number): boolean {
    return this.newest === undefined || number < this.next - 1;
  }

  /** This one is to be sent again, unless it has arrived or another is newer. */
  lose(number: number): void {
    if (number === this.next - 1 && this.newest !== undefined) this.waiting = true;
  }

  loseAll(): void {
    this.lose(this.next - 1);
  }
}
