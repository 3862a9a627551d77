// Sockets that a worker keeps, used from the page. Both halves run here, on one thread, with sockets that the test plays.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type PeerChannel } from '../src/direct';
import { type Socket } from '../src/gateway';
import { FarSockets, type SocketWorker } from '../src/sockets/far';
import { type Ask, Keeper } from '../src/sockets/keeper';
import { type Bytes } from '../src/wire/codec';
import { MAX_FRAME } from '../src/wire/gateway';
import { Random } from './random';

const bytes = (...values: number[]): Bytes => Uint8Array.from(values);
const turns = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** A socket whose network is the test. */
class Played {
  binaryType = '';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  readyState: never = 0 as never;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onbufferedamountlow: ((event: never) => void) | null = null;
  readonly sent: Bytes[] = [];
  closed: unknown[] | undefined;

  send(data: Bytes): void {
    this.sent.push(data);
    this.bufferedAmount += data.length;
  }

  close(...why: unknown[]): void {
    this.closed = why;
  }

  happens(what: 'open' | 'message' | 'close' | 'bufferedamountlow', data?: unknown): void {
    (this[`on${what}`] as ((event: object) => void) | null)?.({ data });
  }
}

/** A worker on this thread, which takes what it is asked later, and only while it lives. */
class Thread implements SocketWorker {
  onmessage: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly opened: Played[] = [];
  readonly urls: string[] = [];
  alive = true;
  /** Whether it takes data channels. */
  channels = true;
  /** When the ring is full: has the page read. */
  full = (): void => undefined;
  private keeper: Keeper | undefined;

  postMessage(ask: Ask, transfer: Transferable[]): void {
    if (ask.kind === 'adopt') {
      if (!this.channels) throw new DOMException('not transferable', 'DataCloneError');
      queueMicrotask(() => this.take(ask));
      return;
    }
    const copy = structuredClone(ask, { transfer });
    queueMicrotask(() => this.take(copy));
  }

  terminate(): void {
    this.alive = false;
  }

  private take(ask: Ask): void {
    if (!this.alive) return;
    if (ask.kind === 'ring') {
      this.keeper = new Keeper(ask.memory, (url, subprotocol) => this.connect(url, subprotocol), () => this.full());
      (this.onmessage as (() => void) | null)?.();
    } else {
      if (ask.kind === 'adopt') this.opened.push(ask.channel as unknown as Played);
      this.keeper?.take(ask);
    }
  }

  private connect(url: string, subprotocol: string): Socket {
    if (url === 'wss://forbidden') throw new DOMException('not by this page', 'SecurityError');
    this.urls.push(`${url} ${subprotocol}`);
    const played = new Played();
    this.opened.push(played);
    return played as unknown as Socket;
  }
}

let thread: Thread;
let sockets: FarSockets;

beforeEach(async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  await start();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function start(capacity?: number): Promise<void> {
  thread = new Thread();
  sockets = new FarSockets(thread, capacity);
  thread.full = () => sockets.drain();
  await turns();
  expect(sockets.ready).toBe(true);
}

/** A socket, the one in the worker, and what the page hears of it. */
async function connected(): Promise<{ socket: Socket; played: Played; heard: unknown[] }> {
  const socket = sockets.connect('wss://gateway', 'a.1');
  const heard = listen(socket);
  await turns();
  const played = thread.opened.at(-1)!;
  return { socket, played, heard };
}

function listen(socket: Socket | PeerChannel): unknown[] {
  const heard: unknown[] = [];
  socket.onopen = () => heard.push(`open ${socket.readyState}`);
  socket.onmessage = ({ data }: MessageEvent<unknown>) => heard.push(data instanceof ArrayBuffer ? [...new Uint8Array(data)] : data);
  socket.onclose = () => heard.push(`close ${socket.readyState}`);
  return heard;
}

describe('a WebSocket', () => {
  test('opens, hears and closes in the order in which it happened', async () => {
    const { socket, played, heard } = await connected();
    expect(thread.urls).toEqual(['wss://gateway a.1']);
    expect([socket.readyState, played.binaryType]).toEqual([0, 'arraybuffer']);
    played.happens('open');
    played.happens('message', bytes(1, 2).buffer);
    played.happens('message', 'words');
    played.happens('message', bytes().buffer);
    played.happens('close');
    expect(heard).toEqual([]);
    await turns();
    expect(heard).toEqual(['open 1', [1, 2], '', [], 'close 3']);
  });

  test('sends what is given, which may be used on, and nothing before it is open or after its end', async () => {
    const { socket, played } = await connected();
    expect(() => socket.send(bytes(1))).toThrow(DOMException);
    played.happens('open');
    await turns();
    const own = bytes(0, 1, 2, 3).subarray(1);
    socket.send(own);
    expect(own).toEqual(bytes(1, 2, 3));
    own.fill(9);
    await turns();
    expect(played.sent).toEqual([bytes(1, 2, 3)]);
    socket.close(1000, 'bye');
    socket.send(bytes(4));
    await turns();
    expect([played.closed, played.sent.length, socket.readyState]).toEqual([[1000, 'bye'], 1, 2]);
    played.happens('close');
    await turns();
    expect(socket.readyState).toBe(3);
  });

  test('counts as buffered what the worker has not taken and what the network has not', async () => {
    const { socket, played } = await connected();
    played.happens('open');
    await turns();
    socket.send(bytes(1, 2, 3));
    expect(socket.bufferedAmount).toBe(3);
    await turns();
    expect(socket.bufferedAmount).toBe(3);
    socket.send(bytes(4, 5));
    played.bufferedAmount = 1;
    expect(socket.bufferedAmount).toBeGreaterThanOrEqual(3);
    await turns();
    await turns();
    expect(socket.bufferedAmount).toBe(3);
    played.bufferedAmount = 0;
    await vi.waitFor(() => expect(socket.bufferedAmount).toBe(0));
  });

  test('is closed at once where the worker may not open it', async () => {
    const heard = listen(sockets.connect('wss://forbidden', 'a.1'));
    await turns();
    await turns();
    expect(heard).toEqual(['close 3']);
  });

  test('refuses with the length of what is too long, and takes no more of it than that needs', async () => {
    const { socket, played } = await connected();
    const lengths: number[] = [];
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => lengths.push(data.byteLength);
    played.happens('open');
    played.happens('message', new ArrayBuffer(MAX_FRAME));
    played.happens('message', new ArrayBuffer(MAX_FRAME * 3));
    await turns();
    expect(lengths).toEqual([MAX_FRAME, MAX_FRAME + 1]);
  });

  test('goes on after a listener that throws, which is reported', async () => {
    const { socket, played, heard } = await connected();
    const reported = vi.spyOn(globalThis, 'queueMicrotask');
    socket.onopen = () => {
      throw new Error('of the listener');
    };
    played.happens('open');
    played.happens('message', bytes(1).buffer);
    reported.mockImplementation(() => undefined);
    await turns();
    expect(heard).toEqual([[1]]);
    expect(reported.mock.calls.some(([report]) => { try { report(); return false; } catch (error) { return String(error).includes('of the listener'); } })).toBe(true); // prettier-ignore
  });
});

describe('a data channel', () => {
  test('goes to the worker, opens, sends, says when it takes more, and closes', async () => {
    const played = new Played();
    played.readyState = 'connecting' as never;
    const channel = sockets.adopt(played as unknown as RTCDataChannel)!;
    const heard = listen(channel);
    channel.onbufferedamountlow = () => heard.push('low');
    channel.bufferedAmountLowThreshold = 700;
    await turns();
    expect([channel.readyState, channel.bufferedAmountLowThreshold, played.bufferedAmountLowThreshold]).toEqual(['connecting', 700, 700]);
    played.happens('open');
    await turns();
    channel.send(bytes(1, 2));
    await turns();
    played.bufferedAmount = 0;
    played.happens('bufferedamountlow');
    expect(channel.bufferedAmount).toBe(0);
    played.happens('message', bytes(3).buffer);
    played.happens('close');
    await turns();
    expect(played.sent).toEqual([bytes(1, 2)]);
    expect(heard).toEqual(['open open', 'low', [3], 'close closed']);
  });

  test('that opened on its way to the worker is open', async () => {
    const played = new Played();
    played.readyState = 'open' as never;
    const heard = listen(sockets.adopt(played as unknown as RTCDataChannel)!);
    await turns();
    await turns();
    expect(heard).toEqual(['open open']);
  });

  test('drops what its full buffer does not take', async () => {
    const played = new Played();
    const channel = sockets.adopt(played as unknown as RTCDataChannel)!;
    await turns();
    played.happens('open');
    await turns();
    played.send = () => {
      throw new DOMException('full', 'OperationError');
    };
    channel.send(bytes(1));
    await turns();
    expect([channel.bufferedAmount, channel.readyState]).toEqual([0, 'open']);
  });

  test('stays with the page where browsers do not let it go', () => {
    thread.channels = false;
    expect(sockets.adopt(new Played() as unknown as RTCDataChannel)).toBeUndefined();
  });
});

describe('the worker', () => {
  test('that reports an error is given up: every socket is closed, once, and nothing more is heard', async () => {
    const [one, other] = [await connected(), await connected()];
    one.played.happens('open');
    await turns();
    other.played.happens('close');
    await turns();
    one.played.happens('message', bytes(1).buffer);
    (thread.onerror as (() => void) | null)?.();
    await turns();
    expect([one.heard, other.heard, sockets.ready, thread.alive]).toEqual([['open 1', 'close 3'], ['close 3'], false, false]);
  });

  test('that takes no new socket is given up', async () => {
    vi.useFakeTimers();
    thread.alive = false;
    const heard = listen(sockets.connect('wss://gateway', 'a.1'));
    vi.advanceTimersByTime(1900);
    expect([heard, sockets.ready]).toEqual([[], true]);
    vi.advanceTimersByTime(200);
    expect([heard, sockets.ready]).toEqual([['close 3'], false]);
  });

  test('that takes it is not', async () => {
    vi.useFakeTimers();
    sockets.connect('wss://gateway', 'a.1');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sockets.ready).toBe(true);
  });
});

test('through a ring that is much too small, each of several sockets hears everything once and in its order', async () => {
  for (let seed = 1; seed <= 15; seed += 1) {
    const random = new Random(seed);
    await start(1 << (4 + random.below(5)));
    const all = [await connected(), await connected(), await connected()];
    const expected: unknown[][] = all.map(() => ['open 1']);
    for (const { played } of all) played.happens('open');
    for (let turn = 0; turn < 60; turn += 1) {
      const which = random.below(all.length);
      const content = random.bytes(random.below(700));
      all[which]!.played.happens('message', content.buffer);
      expected[which]!.push([...content]);
      if (random.chance(10)) await new Promise((resolve) => setTimeout(resolve));
    }
    await turns();
    expect(all.map(({ heard }) => heard)).toEqual(expected);
  }
});
