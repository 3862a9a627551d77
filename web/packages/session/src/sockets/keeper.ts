// The worker's half: keeps the sockets, does what the page asks, and writes what happens into the ring.
import { type Socket } from '../gateway';
import { type PeerChannel } from '../direct/peer';
import { type Bytes } from '../wire/codec';
import { MAX_FRAME } from '../wire/gateway';
import { RECORD, recordHead, type RecordKind } from './records';
import { RingWriter } from './ring';

/** What the page asks of the worker. `cells`: see `CELL`. */
export type Ask =
  | { kind: 'ring'; memory: SharedArrayBuffer }
  | { kind: 'connect'; socket: number; cells: Cells; url: string; subprotocol: string }
  | { kind: 'adopt'; socket: number; cells: Cells; channel: PeerChannel }
  | { kind: 'low'; socket: number; threshold: number }
  | { kind: 'send'; socket: number; bytes: Bytes }
  | { kind: 'close'; socket: number; code?: number | undefined; reason?: string | undefined };

/** Per socket, written by the worker, read by the page at any time. */
export type Cells = Int32Array<SharedArrayBuffer>;

/**
 * known: 1 when the worker has the socket; buffered: bytes that the network has not taken; taken: bytes that the worker
 * has taken from the page, modulo 2^32, counted after they were added to `buffered`.
 */
export const CELL = { known: 0, buffered: 1, taken: 2 } as const;

/** How soon it is looked again whether the network has taken what was sent, in milliseconds. */
const LOOK_AGAIN = 1;

interface Kept {
  target: Socket | PeerChannel;
  cells: Cells;
}

export class Keeper {
  private readonly ring: RingWriter;
  private readonly sockets = new Map<number, Kept>();
  private looking: ReturnType<typeof setTimeout> | undefined;

  /** `full` returns when the reader has made room. */
  constructor(
    memory: SharedArrayBuffer,
    private readonly connect: (url: string, subprotocol: string) => Socket,
    private readonly full: (ring: RingWriter) => void = (ring) => ring.waitForRoom(),
  ) {
    this.ring = new RingWriter(memory);
  }

  take(ask: Exclude<Ask, { kind: 'ring' }>): void {
    switch (ask.kind) {
      case 'connect':
        Atomics.store(ask.cells, CELL.known, 1);
        this.open(ask.socket, ask.cells, () => this.connect(ask.url, ask.subprotocol));
        return;
      case 'adopt':
        Atomics.store(ask.cells, CELL.known, 1);
        this.open(ask.socket, ask.cells, () => ask.channel);
        return;
      case 'low': {
        const target = this.sockets.get(ask.socket)?.target;
        if (target !== undefined && 'bufferedAmountLowThreshold' in target) target.bufferedAmountLowThreshold = ask.threshold;
        return;
      }
      case 'send':
        this.send(ask.socket, ask.bytes);
        return;
      case 'close':
        this.sockets.get(ask.socket)?.target.close(ask.code, ask.reason);
        return;
    }
  }

  private open(socket: number, cells: Cells, make: () => Socket | PeerChannel): void {
    let target: Socket | PeerChannel;
    try {
      target = make();
    } catch (error) {
      console.warn('a socket cannot be opened', error);
      this.tell(RECORD.closed, socket);
      return;
    }
    this.sockets.set(socket, { target, cells });
    target.binaryType = 'arraybuffer';
    target.onopen = () => this.tell(RECORD.opened, socket);
    target.onmessage = ({ data }: MessageEvent<unknown>) => this.message(socket, data);
    target.onclose = () => {
      this.sockets.delete(socket);
      this.tell(RECORD.closed, socket);
    };
    if ('onbufferedamountlow' in target) {
      target.onbufferedamountlow = () => {
        this.look();
        this.tell(RECORD.free, socket);
      };
    }
    // A channel may have opened while it was on its way here.
    if (target.readyState === 'open') this.tell(RECORD.opened, socket);
  }

  private message(socket: number, data: unknown): void {
    if (!(data instanceof ArrayBuffer)) {
      this.tell(RECORD.text, socket);
      return;
    }
    // What is too long is refused for that, whatever it goes on with.
    this.tell(RECORD.message, socket, new Uint8Array(data, 0, Math.min(data.byteLength, MAX_FRAME + 1)));
  }

  private send(socket: number, bytes: Bytes): void {
    const kept = this.sockets.get(socket);
    if (kept === undefined) return;
    const { length } = bytes;
    try {
      kept.target.send(bytes);
    } catch (error) {
      // Not open any more, or a data channel's buffer is full: lost like a packet on the way.
      console.warn('a packet is dropped', error);
    }
    Atomics.store(kept.cells, CELL.buffered, kept.target.bufferedAmount);
    Atomics.add(kept.cells, CELL.taken, length);
    this.lookLater();
  }

  /** Nobody says when the network takes what was sent. */
  private look(): void {
    let some = false;
    for (const { target, cells } of this.sockets.values()) {
      const { bufferedAmount } = target;
      Atomics.store(cells, CELL.buffered, bufferedAmount);
      some ||= bufferedAmount > 0;
    }
    if (some) this.lookLater();
  }

  private lookLater(): void {
    this.looking ??= setTimeout(() => {
      this.looking = undefined;
      this.look();
    }, LOOK_AGAIN);
  }

  private tell(kind: RecordKind, socket: number, content: Uint8Array = new Uint8Array(0)): void {
    this.write(recordHead(kind, socket, content.length));
    this.write(content);
    this.ring.wake();
  }

  private write(bytes: Uint8Array): void {
    let rest = bytes;
    for (;;) {
      rest = rest.subarray(this.ring.write(rest));
      if (rest.length === 0) return;
      this.full(this.ring);
    }
  }
}
