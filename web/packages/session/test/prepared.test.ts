// Connections that are made before they are needed.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { GatewayLeg, type Socket } from '../src/gateway';
import { Prepared } from '../src/prepared';
import { type Bytes } from '../src/wire/codec';
import { decodeToGateway, SUBPROTOCOL } from '../src/wire/gateway';
import { ACCOUNT } from './world';

class Line implements Socket {
  binaryType = '';
  bufferedAmount = 0;
  readyState = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly sent: Bytes[] = [];

  constructor(readonly url: string) {}

  open(): void {
    this.readyState = 1;
    (this.onopen as (() => void) | null)?.();
  }

  send(bytes: Bytes): void {
    this.sent.push(bytes);
  }

  close(): void {
    this.readyState = 3;
  }
}

const URL = 'wss://gateway.example/gateway/v1';
let lines: Line[];
let prepared: Prepared;

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  prepared = new Prepared((url) => {
    const line = new Line(url);
    lines.push(line);
    return line;
  });
});
afterEach(() => vi.useRealTimers());

function leg(): void {
  const options = { gateways: ['https://gateway.example'], role: 'console', account: ACCOUNT, credential: new Uint8Array(32), version: '1', platform: 'node' } as const;
  const ignore = (): void => undefined;
  new GatewayLeg({ ...options, connect: prepared.connect }, { admitted: ignore, paired: ignore, frame: ignore, partnerLeft: ignore, closed: ignore });
}

test.each(['before', 'after'])('a leg takes the prepared connection that opens %s it is taken, and says hello once', (when) => {
  prepared.prepare('https://gateway.example');
  prepared.prepare('https://gateway.example');
  expect(lines.map(({ url }) => url)).toEqual([URL]);
  if (when === 'before') lines[0]!.open();
  expect(lines[0]!.sent).toEqual([]);
  leg();
  if (when === 'after') lines[0]!.open();
  expect(lines).toHaveLength(1);
  expect(lines[0]!.sent.map((bytes) => decodeToGateway(bytes).kind)).toEqual(['hello']);
  vi.advanceTimersByTime(9000);
  expect(lines[0]!.readyState).toBe(1);
});

test('one that nobody needs is closed in time, and each is used once', () => {
  prepared.prepare('https://gateway.example');
  lines[0]!.open();
  vi.advanceTimersByTime(4000);
  expect(lines[0]!.readyState).toBe(3);
  expect(prepared.connect(URL, SUBPROTOCOL)).toBe(lines[1]);
  expect(prepared.connect(URL, SUBPROTOCOL)).toBe(lines[2]);
});

test('one to another gateway, or one that has failed, is not used', () => {
  prepared.prepare('https://other.example');
  expect(prepared.connect(URL, SUBPROTOCOL)).toBe(lines[1]);
  prepared.prepare('https://gateway.example');
  expect(lines[0]!.readyState).toBe(3);
  lines[2]!.close();
  expect(prepared.connect(URL, SUBPROTOCOL)).toBe(lines[3]);
  expect(() => prepared.prepare('no address')).toThrow(TypeError);
});
