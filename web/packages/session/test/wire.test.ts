// Every message, frame and packet is byte for byte what Rust says it is.
import { describe, expect, test } from 'vitest';
import {
  type Class,
  decodeFromGateway,
  decodeMessage,
  decodeMessageFrom,
  decodePacket,
  decodeSealFrame,
  decodeToGateway,
  encodeFromGateway,
  encodeMessage,
  encodePacket,
  encodeSealFrame,
  encodeToGateway,
  fromBase64,
  fromHex,
  fromUuid,
  type FromGateway,
  type Message,
  MESSAGES,
  type Piece,
  Reader,
  type SealFrame,
  type ToGateway,
  toHex,
  WireError,
  Writer,
} from '../src/wire';
import { Random } from './random';
import { asVector, readVectors, withBytes } from './vectors';

interface MessageVector {
  name: string;
  hex: string;
  class: Class;
  sender: 'console' | 'applet' | 'either';
  message: { kind: Message['kind'] };
}
const messages = readVectors<MessageVector[]>('messages.json');
const BYTE_FIELDS = ['document', 'signature', 'line', 'proof', 'rgbaZstd', 'operationsZstd'];

describe('messages', () => {
  test.each(messages.map((vector, at) => ({ ...vector, at })))('$at $name', (vector) => {
    const decoded = decodeMessage(fromHex(vector.hex));
    expect(asVector(decoded)).toEqual(vector.message);
    expect(MESSAGES[decoded.kind]).toMatchObject({ class: vector.class, sender: vector.sender });
    expect(Number.parseInt(vector.hex.slice(0, 2), 16)).toBe(MESSAGES[decoded.kind].byte);
    const message = withBytes(vector.message, BYTE_FIELDS, fromHex) as Message;
    expect(toHex(encodeMessage(message))).toBe(vector.hex);
  });

  test('the vectors hold every kind', () => {
    expect(new Set(messages.map((vector) => vector.message.kind))).toEqual(new Set(Object.keys(MESSAGES)));
  });

  test('every message cut short or prolonged is refused, unless it ends in free bytes', () => {
    const free = new Set<Message['kind']>(['screen_update', 'cursor_shape']);
    for (const { hex, message } of messages) {
      const bytes = fromHex(hex);
      const cut = free.has(message.kind) ? 8 : bytes.length;
      for (let length = 0; length < cut; length += 1) {
        expect(() => decodeMessage(bytes.slice(0, length))).toThrow(WireError);
      }
      if (!free.has(message.kind)) {
        expect(() => decodeMessage(Uint8Array.of(...bytes, 0))).toThrow(/1 bytes too many/);
      }
    }
  });

  test('an aim may say "here", and only an aim, and only in one way', () => {
    const here = [254, 0, 0, 0, 0];
    expect(decodeMessage(Uint8Array.of(0x41, 1, 1, ...here))).toMatchObject({ at: 'here' });
    expect(() => decodeMessage(Uint8Array.of(0x40, ...here))).toThrow(WireError);
    for (const at of [1, 2, 3, 4]) {
      const other = here.with(at, 1);
      expect(() => decodeMessage(Uint8Array.of(0x41, 1, 1, ...other))).toThrow(WireError);
      expect(() => decodeMessage(Uint8Array.of(0x42, 0, 0, 0, 0, ...other))).toThrow(WireError);
    }
  });

  test('random changes of messages throw nothing but WireError', () => {
    const random = new Random(7);
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = fromHex(messages[random.below(messages.length)]!.hex);
      for (let change = 0; change <= random.below(4); change += 1) bytes[random.below(bytes.length)] = random.below(256);
      try {
        const message = decodeMessage(bytes);
        decodeMessage(encodeMessage(message));
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }
  });

  test('a message from the wrong end or in the wrong class is a breach', () => {
    const open = encodeMessage({ kind: 'screen_open', monitor: 0, video: 'none' });
    expect(decodeMessageFrom('console', open, 'ordered').kind).toBe('screen_open');
    expect(() => decodeMessageFrom('applet', open, 'ordered')).toThrow(WireError);
    expect(() => decodeMessageFrom('console', open, 'input')).toThrow(WireError);
    expect(decodeMessageFrom('applet', encodeMessage({ kind: 'typing', on: true }), 'ordered').kind).toBe('typing');
  });
});

test('gateway frames', () => {
  const vectors = readVectors<{ from: 'leg' | 'gateway'; hex: string; frame: object }[]>('gateway.json');
  for (const { from, hex, frame } of vectors) {
    const value = withBytes(frame, ['credential', 'bytes'], fromHex);
    if (from === 'leg') {
      expect(asVector(decodeToGateway(fromHex(hex)))).toEqual(frame);
      expect(toHex(encodeToGateway(value as ToGateway))).toBe(hex);
    } else {
      const { return_ticket: ticket, ...rest } = value as Record<string, unknown>;
      const spoken = ticket === undefined ? rest : { ...rest, returnTicket: fromHex(ticket as string) };
      expect(decodeFromGateway(fromHex(hex))).toEqual(spoken);
      expect(toHex(encodeFromGateway(spoken as FromGateway))).toBe(hex);
    }
  }
});

describe('link packets and seal frames', () => {
  type Vector =
    | { layer: 'link'; hex: string; pieces: { kind: Piece['kind'] }[] }
    | { layer: 'link'; hex: string; refused: string }
    | { layer: 'seal'; hex: string; frame: object };
  const vectors = readVectors<Vector[]>('link.json');

  test.each(vectors.map((vector, at) => ({ vector, at })))('$at', ({ vector }) => {
    const bytes = fromHex(vector.hex);
    if ('frame' in vector) {
      expect(asVector(decodeSealFrame(bytes))).toEqual(vector.frame);
      const frame = withBytes(vector.frame, ['commitment', 'key', 'nonce', 'ciphertext'], fromHex) as SealFrame;
      expect(toHex(encodeSealFrame(frame))).toBe(vector.hex);
    } else if ('pieces' in vector) {
      expect(asVector(decodePacket(bytes))).toEqual(vector.pieces);
      const pieces = vector.pieces.map((piece) => withBytes(piece, ['bytes', 'message'], fromHex) as Piece);
      expect(toHex(encodePacket(pieces))).toBe(vector.hex);
    } else {
      expect(() => decodePacket(bytes)).toThrow(WireError);
    }
  });

  test('what is refused is among them', () => {
    expect(vectors.filter((vector) => 'refused' in vector).length).toBeGreaterThan(5);
  });

  test('random changes of packets throw nothing but WireError', () => {
    const random = new Random(8);
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = fromHex(vectors[random.below(vectors.length)]!.hex);
      for (let change = 0; change <= random.below(4); change += 1) bytes[random.below(bytes.length)] = random.below(256);
      try {
        encodePacket(decodePacket(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }
  });
});

test('text is cut at a character and checked to be text', () => {
  expect(new Reader(new Writer().text('aäöü', 4).finish()).text('t', 10)).toBe('aä');
  expect(new Reader(new Writer().text('👋👋', 7).finish()).text('t', 10)).toBe('👋');
  expect(() => new Reader(Uint8Array.of(0, 1, 0xff)).text('chat', 4)).toThrow('chat is not UTF-8');
  expect(() => new Reader(Uint8Array.of(0, 5, 1)).text('chat', 4)).toThrow('chat is longer than 4');
  expect(() => new Reader(Uint8Array.of(0, 5, 1)).text('chat', 10)).toThrow('message ends too early');
});

test('64-bit numbers beyond what a number holds are refused', () => {
  expect(new Reader(fromHex('001fffffffffffff')).u64()).toBe(Number.MAX_SAFE_INTEGER);
  expect(() => new Reader(fromHex('0020000000000000')).u64()).toThrow(WireError);
});

test('encodings of bytes', () => {
  expect(fromBase64('-_8')).toEqual(Uint8Array.of(0xfb, 0xff));
  expect(fromBase64('+/8=')).toEqual(Uint8Array.of(0xfb, 0xff));
  expect(() => fromBase64('a b*')).toThrow(RangeError);
  expect(() => fromHex('0')).toThrow(RangeError);
  expect(() => fromUuid('01234567-89ab-cdef-0001-02030405060')).toThrow(RangeError);
});
