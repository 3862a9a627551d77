// What arrives of a class: streams are put in order and cut into messages, of a state only what is newer counts.
import { type Bytes, WireError } from '../wire/codec';
import { MAX_MESSAGE, MAX_RANGES, type Range, type Stream } from '../wire/link';
import { Ranges } from './ranges';

/** How far beyond the next byte a receiver holds, in bytes. */
export const MAX_AHEAD: Record<Stream, number> = { ordered: 4 << 20, input: 4 << 20, screen: 32 << 20 };
/** Pieces held at most that came too early: what is more is treated as lost. */
export const MAX_HELD = 8192;

interface Held {
  from: number;
  bytes: Bytes;
}

/** in_order: nothing was missing; gap: it came too early; filled: it closed a gap; nothing: all of it was there. */
export type Taken = 'in_order' | 'gap' | 'filled' | 'nothing';

export class StreamInbox {
  /** The first byte that has not arrived. */
  next = 0;
  private readonly ahead = new Ranges();
  private held: Held[] = [];
  private newest = 0;
  private readonly assembler = new Assembler();

  constructor(private readonly of: Stream) {}

  /** Takes bytes of the stream, which are kept as they are; whole messages are handed over. Throws `WireError`. */
  take(offset: number, bytes: Bytes, deliver: (message: Bytes) => void): Taken {
    const end = Math.min(offset + bytes.length, this.next + MAX_AHEAD[this.of]);
    const from = Math.max(offset, this.next);
    if (from >= end) return 'nothing';
    if (from === this.next && this.held.length === 0) {
      this.next = end;
      this.assembler.feed(bytes.subarray(from - offset, end - offset), deliver);
      return 'in_order';
    }
    let taken: Taken = 'nothing';
    for (const [start, stop] of this.ahead.gaps(from, end)) {
      if (!this.hold({ from: start, bytes: bytes.subarray(start - offset, stop - offset) })) continue;
      this.newest = start;
      this.ahead.add(start, stop);
      taken = start === this.next ? 'filled' : taken === 'filled' ? taken : 'gap';
    }
    if (taken === 'filled') this.drain(deliver);
    return taken;
  }

  /** What an acknowledgement says of the bytes beyond `next`: the range of what came last, and the highest ones. */
  ranges(): Range[] {
    const all = this.ahead.all;
    const chosen = all.slice(-MAX_RANGES);
    if (all.length > MAX_RANGES && this.newest < (chosen[0]?.[0] ?? 0)) {
      const last = all.find(([, to]) => to > this.newest);
      if (last !== undefined) chosen.splice(0, 1, last);
    }
    return chosen;
  }

  private hold(piece: Held): boolean {
    // The piece that everything waits for is always taken.
    if (this.held.length >= MAX_HELD && piece.from !== this.next) return false;
    let [low, high] = [0, this.held.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.held[middle]?.from ?? 0) < piece.from) low = middle + 1;
      else high = middle;
    }
    this.held.splice(low, 0, piece);
    return true;
  }

  private drain(deliver: (message: Bytes) => void): void {
    let count = 0;
    for (let head = this.held[0]; head !== undefined && head.from === this.next; head = this.held[count]) {
      this.next += head.bytes.length;
      count += 1;
      this.assembler.feed(head.bytes, deliver);
    }
    this.held.splice(0, count);
    this.ahead.remove(0, this.next);
  }
}

/** Cuts a stream into its messages. */
class Assembler {
  private readonly head = new Uint8Array(4);
  private headLength = 0;
  /** Length of the message that has begun; 0: its length is not known yet. */
  private length = 0;
  private buffer: Bytes | undefined;
  private filled = 0;

  feed(bytes: Bytes, deliver: (message: Bytes) => void): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.length === 0) {
        at += this.readLength(bytes, at);
      } else if (this.buffer === undefined && bytes.length - at >= this.length) {
        // All of it is here: a view will do.
        const message = bytes.subarray(at, at + this.length);
        at += this.length;
        this.length = 0;
        deliver(message);
      } else {
        at += this.fill(bytes, at, deliver);
      }
    }
  }

  private readLength(bytes: Bytes, at: number): number {
    const part = bytes.subarray(at, at + 4 - this.headLength);
    this.head.set(part, this.headLength);
    this.headLength += part.length;
    if (this.headLength < 4) return part.length;
    this.headLength = 0;
    this.length = new DataView(this.head.buffer).getUint32(0);
    if (this.length === 0 || this.length > MAX_MESSAGE) {
      throw new WireError('too_long', `a message of ${this.length} bytes in a stream`);
    }
    return part.length;
  }

  private fill(bytes: Bytes, at: number, deliver: (message: Bytes) => void): number {
    this.buffer ??= new Uint8Array(this.length);
    const part = bytes.subarray(at, at + this.length - this.filled);
    this.buffer.set(part, this.filled);
    this.filled += part.length;
    if (this.filled === this.length) {
      const message = this.buffer;
      this.buffer = undefined;
      this.filled = 0;
      this.length = 0;
      deliver(message);
    }
    return part.length;
  }
}

export class StateInbox {
  /** The highest number that has come, plus one. */
  next = 0;

  /** Whether this one is newer than all before. */
  take(number: number): boolean {
    if (number < this.next) return false;
    this.next = number + 1;
    return true;
  }
}
