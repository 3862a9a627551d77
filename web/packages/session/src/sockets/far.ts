// The page's half: sockets that are kept by the worker, to be used like the page's own.
import { type PeerChannel } from '../direct/peer';
import { type Socket } from '../gateway';
import { type Bytes } from '../wire/codec';
import { type Ask, CELL, type Cells } from './keeper';
import { RECORD, RecordReader, type SocketRecord } from './records';
import { makeRing, RingReader } from './ring';

/** Bytes that the worker may be ahead of the page; then it reads no further, and the network waits as it would for the page. */
const CAPACITY = 1 << 20;
/** A worker that has not taken a new socket in so many milliseconds is dead. */
const PATIENCE = 2000;

/** What is used of a `Worker`. */
export interface SocketWorker {
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  postMessage(message: Ask, transfer: Transferable[]): void;
  terminate(): void;
}

type State = 'connecting' | 'open' | 'closing' | 'closed';
const NUMBERS: Record<State, number> = { connecting: 0, open: 1, closing: 2, closed: 3 };

/** Asks the worker something about one socket. */
type Post = (ask: Ask, transfer: Transferable[]) => void;

class Far {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onbufferedamountlow: ((event: never) => void) | null = null;
  /** The worker knows no other. */
  binaryType = 'arraybuffer';
  readonly cells: Cells = new Int32Array(new SharedArrayBuffer(4 * Object.keys(CELL).length));
  protected state: State = 'connecting';
  /** Bytes given to the worker, modulo 2^32. */
  private given = 0;

  constructor(
    protected readonly socket: number,
    protected readonly post: Post,
  ) {}

  get bufferedAmount(): number {
    // In this order: what the worker takes in between is counted twice, and never not at all.
    const taken = Atomics.load(this.cells, CELL.taken);
    return ((this.given - taken) | 0) + Atomics.load(this.cells, CELL.buffered);
  }

  send(bytes: Bytes): void {
    if (this.state === 'connecting') throw new DOMException('still connecting', 'InvalidStateError');
    if (this.state !== 'open') return;
    this.given = (this.given + bytes.length) | 0;
    // Whoever sends may go on using the bytes.
    const copy = bytes.slice();
    this.post({ kind: 'send', socket: this.socket, bytes: copy }, [copy.buffer]);
  }

  close(code?: number, reason?: string): void {
    if (this.state === 'closing' || this.state === 'closed') return;
    this.state = 'closing';
    this.post({ kind: 'close', socket: this.socket, code, reason }, []);
  }

  happened({ kind, content }: SocketRecord): void {
    switch (kind) {
      case RECORD.opened:
        if (this.state !== 'connecting') return;
        this.state = 'open';
        call(this.onopen, {});
        return;
      case RECORD.message:
        call(this.onmessage, { data: content.buffer });
        return;
      case RECORD.text:
        call(this.onmessage, { data: '' });
        return;
      case RECORD.free:
        call(this.onbufferedamountlow, {});
        return;
      case RECORD.closed:
        this.state = 'closed';
        call(this.onclose, {});
        return;
      default:
        throw new Error(`the worker writes records of an unknown kind ${kind}`);
    }
  }
}

class FarSocket extends Far implements Socket {
  get readyState(): number {
    return NUMBERS[this.state];
  }
}

class FarChannel extends Far implements PeerChannel {
  private threshold = 0;

  get readyState(): string {
    return this.state;
  }

  get bufferedAmountLowThreshold(): number {
    return this.threshold;
  }

  set bufferedAmountLowThreshold(threshold: number) {
    this.threshold = threshold;
    this.post({ kind: 'low', socket: this.socket, threshold }, []);
  }
}

export class FarSockets {
  private readonly sockets = new Map<number, Far>();
  private readonly ring: RingReader;
  private readonly records: RecordReader;
  private state: 'starting' | 'ready' | 'dead' = 'starting';
  private last = 0;

  constructor(
    private readonly worker: SocketWorker,
    capacity = CAPACITY,
  ) {
    const memory = makeRing(capacity);
    this.ring = new RingReader(memory);
    this.records = new RecordReader(this.ring);
    worker.onmessage = () => {
      if (this.state === 'starting') this.state = 'ready';
    };
    worker.onerror = () => this.die('it reports an error');
    worker.postMessage({ kind: 'ring', memory }, []);
    void this.listen();
  }

  /** Whether the worker runs. */
  get ready(): boolean {
    return this.state === 'ready';
  }

  /** Opens a WebSocket in the worker. */
  connect(url: string, subprotocol: string): Socket {
    const far = new FarSocket(this.next(), this.post);
    this.keep(this.last, far);
    this.post({ kind: 'connect', socket: this.last, cells: far.cells, url, subprotocol }, []);
    return far;
  }

  /** Gives a data channel to the worker that was made just now; `undefined`: this browser keeps it where it was made. */
  adopt(channel: RTCDataChannel): PeerChannel | undefined {
    const far = new FarChannel(this.next(), this.post);
    try {
      const ask: Ask = { kind: 'adopt', socket: this.last, cells: far.cells, channel };
      this.post(ask, [channel as unknown as Transferable]);
    } catch (error) {
      if (error instanceof DOMException && error.name === 'DataCloneError') return undefined;
      throw error;
    }
    this.keep(this.last, far);
    return far;
  }

  private next(): number {
    this.last += 1;
    return this.last;
  }

  private readonly post: Post = (ask, transfer) => {
    if (this.state !== 'dead') this.worker.postMessage(ask, transfer);
  };

  private keep(socket: number, far: Far): void {
    this.sockets.set(socket, far);
    setTimeout(() => {
      if (Atomics.load(far.cells, CELL.known) === 0) this.die('it takes no sockets');
    }, PATIENCE);
  }

  private async listen(): Promise<void> {
    while (this.state !== 'dead') {
      await this.ring.more();
      this.drain();
    }
  }

  /** Tells what the worker has written so far. */
  drain(): void {
    for (let record = this.records.next(); record !== undefined; record = this.records.next()) {
      if (this.state === 'dead') return;
      this.tell(record);
    }
  }

  private tell(record: SocketRecord): void {
    const far = this.sockets.get(record.socket);
    if (record.kind === RECORD.closed) this.sockets.delete(record.socket);
    try {
      far?.happened(record);
    } catch (error) {
      // As with a socket's own events: reported, and the next one comes nevertheless.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  /** All its sockets are lost; others have to be made without it. */
  private die(why: string): void {
    if (this.state === 'dead') return;
    console.warn(`the worker that keeps the sockets is given up: ${why}`);
    this.state = 'dead';
    this.worker.terminate();
    for (const socket of [...this.sockets.keys()]) this.tell({ kind: RECORD.closed, socket, content: new Uint8Array(0) });
  }
}

function call(listener: ((event: never) => void) | null, event: object): void {
  (listener as ((event: object) => void) | null)?.(event);
}
