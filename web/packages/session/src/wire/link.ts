// Packets of the link, the plaintext of every sealed frame: belay-link/2. Mirrors core/wire/src/link.rs.
import { type Bytes, Reader, unknown, WireError, Writer } from './codec';

/** Name and version; part of the seal's transcript, so that both ends agree on it. */
export const LINK_NAME = 'belay-link/2';
/** Longest message of a stream, in bytes. */
export const MAX_MESSAGE = 1 << 20;
/** Pieces in one packet. */
export const MAX_PIECES = 16;
/** Ranges in one acknowledgement. */
export const MAX_RANGES = 8;

/** A class whose messages arrive once and in order. */
export type Stream = 'ordered' | 'input' | 'screen';
/** A class of which only the newest message counts. */
export type State = 'cursor' | 'seen';
/** How a message travels. */
export type Class = Stream | State;

export const CLASS_BYTE = { ordered: 0x01, input: 0x02, screen: 0x10, cursor: 0x11, seen: 0x12 } as const;
export const STREAMS: readonly Stream[] = ['input', 'ordered', 'screen'];
export const STATES: readonly State[] = ['cursor', 'seen'];

export function isStream(of: Class): of is Stream {
  return of !== 'cursor' && of !== 'seen';
}

/** From the first to before the second. */
export type Range = [from: number, to: number];

export type Piece =
  /** `next`: the first byte that has not arrived (a state: the highest number + 1); `ranges`: what has, above it. */
  | { kind: 'ack'; class: Class; next: number; ranges: Range[] }
  | { kind: 'data'; class: Stream; offset: number; bytes: Bytes }
  | { kind: 'state'; class: State; number: number; message: Bytes }
  | { kind: 'ping'; number: number }
  | { kind: 'pong'; number: number };

const [ACK, DATA, STATE, PING, PONG] = [0x01, 0x02, 0x03, 0x04, 0x05];

export function writeAck(w: Writer, of: Class, next: number, ranges: readonly Range[]): void {
  w.u8(ACK).u8(CLASS_BYTE[of]).u64(next).u8(ranges.length);
  for (const [from, to] of ranges) w.u64(from).u64(to);
}

/** The beginning of a data piece; its bytes, at least one, are all that may follow. */
export function writeDataHead(w: Writer, of: Stream, offset: number): void {
  w.u8(DATA).u8(CLASS_BYTE[of]).u64(offset);
}

/** A state piece; nothing may follow. */
export function writeState(w: Writer, of: State, number: number, message: Bytes): void {
  w.u8(STATE).u8(CLASS_BYTE[of]).u64(number).raw(message);
}

export function writePing(w: Writer, kind: 'ping' | 'pong', number: number): void {
  w.u8(kind === 'ping' ? PING : PONG).u32(number);
}

export function encodePacket(pieces: readonly Piece[]): Bytes {
  const w = new Writer();
  for (const piece of pieces) {
    switch (piece.kind) {
      case 'ack':
        writeAck(w, piece.class, piece.next, piece.ranges);
        break;
      case 'data':
        writeDataHead(w, piece.class, piece.offset);
        w.raw(piece.bytes);
        break;
      case 'state':
        writeState(w, piece.class, piece.number, piece.message);
        break;
      case 'ping':
      case 'pong':
        writePing(w, piece.kind, piece.number);
        break;
    }
  }
  return w.finish();
}

/** Reads a packet; throws `WireError`. Bytes and messages are views of `bytes`, not copies. */
export function decodePacket(bytes: Bytes): Piece[] {
  const r = new Reader(bytes);
  const pieces: Piece[] = [];
  do {
    if (pieces.length === MAX_PIECES) throw new WireError('too_long', `a packet of more than ${MAX_PIECES} pieces`);
    pieces.push(readPiece(r));
  } while (!r.isEmpty);
  return pieces;
}

function readPiece(r: Reader): Piece {
  const value = r.u8();
  switch (value) {
    case ACK: {
      const of = readClass(r);
      const next = r.u64();
      return { kind: 'ack', class: of, next, ranges: readRanges(r, of, next) };
    }
    case DATA: {
      const of = readClass(r);
      if (!isStream(of)) throw unknown('stream', CLASS_BYTE[of]);
      const [offset, data] = [r.u64(), r.remaining()];
      if (data.length === 0) throw new WireError('truncated', 'a data piece without data');
      if (!Number.isSafeInteger(offset + data.length)) throw new WireError('too_long', 'a stream ends at 2^53 bytes');
      return { kind: 'data', class: of, offset, bytes: data };
    }
    case STATE: {
      const of = readClass(r);
      if (isStream(of)) throw unknown('state', CLASS_BYTE[of]);
      return { kind: 'state', class: of, number: r.u64(), message: r.remaining() };
    }
    case PING:
      return { kind: 'ping', number: r.u32() };
    case PONG:
      return { kind: 'pong', number: r.u32() };
    default:
      throw unknown('piece', value);
  }
}

const CLASS_OF_BYTE = new Map<number, Class>([...STREAMS, ...STATES].map((of) => [CLASS_BYTE[of], of]));

function readClass(r: Reader): Class {
  const value = r.u8();
  const found = CLASS_OF_BYTE.get(value);
  if (found === undefined) throw unknown('message class', value);
  return found;
}

function readRanges(r: Reader, of: Class, next: number): Range[] {
  const count = r.u8();
  if (count > (isStream(of) ? MAX_RANGES : 0)) throw new WireError('too_long', `${count} ranges for ${of}`);
  const ranges: Range[] = [];
  // A range that began at `next` would mean that `next` has arrived; neighbours would be one range.
  let least = next + 1;
  for (let at = 0; at < count; at += 1) {
    const range: Range = [r.u64(), r.u64()];
    if (range[0] < least || range[1] <= range[0]) throw unknown('order of ranges, which begins at', range[0]);
    ranges.push(range);
    least = range[1] + 1;
  }
  return ranges;
}
