// Reading and writing bytes: big-endian integers, length-prefixed text, and errors that say what was wrong.
// Mirrors core/wire/src/codec.rs.

/** Bytes that own ordinary memory, as WebCrypto and WebSocket want them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Why bytes are not what they claim to be. */
export type WireFault = 'truncated' | 'trailing' | 'unknown' | 'too_long' | 'not_text';

/** The only error that reading bytes throws. */
export class WireError extends Error {
  override readonly name = 'WireError';
  constructor(
    readonly fault: WireFault,
    message: string,
  ) {
    super(message);
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** UTF-8 bytes of a text. */
export function utf8(text: string): Bytes {
  return encoder.encode(text);
}

/** The error for a tag or value that this version does not know. */
export function unknown(what: string, value: number): WireError {
  return new WireError('unknown', `unknown ${what} ${value}`);
}

/** Takes values off the front of bytes. */
export class Reader {
  private at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Bytes) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private skip(n: number): number {
    const start = this.at;
    if (n > this.bytes.length - start) throw new WireError('truncated', 'message ends too early');
    this.at = start + n;
    return start;
  }

  /** The next `n` bytes, not copied. */
  take(n: number): Bytes {
    const start = this.skip(n);
    return this.bytes.subarray(start, start + n);
  }

  u8(): number {
    return this.view.getUint8(this.skip(1));
  }

  u16(): number {
    return this.view.getUint16(this.skip(2));
  }

  i16(): number {
    return this.view.getInt16(this.skip(2));
  }

  u32(): number {
    return this.view.getUint32(this.skip(4));
  }

  /** Eight bytes; refused above 2^53 − 1, which no counter of these protocols reaches. */
  u64(): number {
    const start = this.skip(8);
    const high = this.view.getUint32(start);
    if (high > 0x1fffff) throw unknown('64-bit number, high half', high);
    return high * 0x1_0000_0000 + this.view.getUint32(start + 4);
  }

  /** A byte that must be 0 or 1. */
  flag(what: string): boolean {
    const value = this.u8();
    if (value > 1) throw unknown(what, value);
    return value === 1;
  }

  /** Bytes with a 16-bit length before them, at most `limit`. */
  prefixed(what: string, limit: number): Bytes {
    const length = this.u16();
    if (length > limit) throw new WireError('too_long', `${what} is longer than ${limit}`);
    return this.take(length);
  }

  /** UTF-8 text with a 16-bit length in bytes before it, at most `limit` bytes. */
  text(what: string, limit: number): string {
    const bytes = this.prefixed(what, limit);
    try {
      return decoder.decode(bytes);
    } catch {
      throw new WireError('not_text', `${what} is not UTF-8`);
    }
  }

  /** Everything that is left, not copied. */
  remaining(): Bytes {
    return this.take(this.bytes.length - this.at);
  }

  get isEmpty(): boolean {
    return this.at === this.bytes.length;
  }

  /** Ends the reading; an error when bytes are left. */
  finish(): void {
    const left = this.bytes.length - this.at;
    if (left > 0) throw new WireError('trailing', `${left} bytes too many after the message`);
  }
}

/** Appends values to a growing byte array. */
export class Writer {
  private buffer: Bytes;
  private view: DataView;
  private length = 0;

  /** `capacity` is only a first guess at the number of bytes. */
  constructor(capacity = 64) {
    this.buffer = new Uint8Array(capacity);
    this.view = new DataView(this.buffer.buffer);
  }

  /** A writer whose message starts with this kind byte. */
  static of(kind: number, capacity?: number): Writer {
    return new Writer(capacity).u8(kind);
  }

  private grow(n: number): number {
    const start = this.length;
    this.length = start + n;
    if (this.length > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.length, this.buffer.length * 2));
      larger.set(this.buffer.subarray(0, start));
      this.buffer = larger;
      this.view = new DataView(larger.buffer);
    }
    return start;
  }

  u8(value: number): this {
    const at = this.grow(1);
    this.view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.grow(2);
    this.view.setUint16(at, value);
    return this;
  }

  i16(value: number): this {
    const at = this.grow(2);
    this.view.setInt16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.grow(4);
    this.view.setUint32(at, value);
    return this;
  }

  /** Eight bytes; `value` is a whole number up to 2^53 − 1. */
  u64(value: number): this {
    const at = this.grow(8);
    this.view.setUint32(at, Math.floor(value / 0x1_0000_0000));
    this.view.setUint32(at + 4, value >>> 0);
    return this;
  }

  flag(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): this {
    const at = this.grow(bytes.length);
    this.buffer.set(bytes, at);
    return this;
  }

  /** Bytes with a 16-bit length before them. What is longer than 65535 is cut: check against the field's limit before. */
  prefixed(bytes: Uint8Array): this {
    const cut = bytes.subarray(0, 0xffff);
    return this.u16(cut.length).raw(cut);
  }

  /** Text with a 16-bit length before it, cut at a character boundary when it is longer than `limit` bytes. */
  text(text: string, limit: number): this {
    return this.prefixed(cutText(encoder.encode(text), Math.min(limit, 0xffff)));
  }

  finish(): Bytes {
    return this.buffer.subarray(0, this.length);
  }
}

/** The first bytes of a UTF-8 text, at most `limit`, without a torn character at the end. */
export function cutText(bytes: Bytes, limit: number): Bytes {
  if (bytes.length <= limit) return bytes;
  let end = limit;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
