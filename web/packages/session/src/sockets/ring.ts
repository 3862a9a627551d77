// A ring of bytes in shared memory, from one thread that writes to one that reads. Nothing is locked: each of the two
// positions has one thread that moves it, and says so only when the bytes are in their place.

/**
 * Where in the memory's head the positions stand: all bytes ever written and ever read, modulo 2^32.
 * INVARIANT: 0 <= written - read <= capacity, modulo 2^32.
 */
const [WRITTEN, READ] = [0, 1];
const HEAD = 8;

/** The memory of a ring that holds so many bytes, a power of two. */
export function makeRing(capacity: number): SharedArrayBuffer {
  if (capacity < 1 || capacity > 1 << 30 || (capacity & (capacity - 1)) !== 0) {
    throw new RangeError(`${capacity} is no power of two below 2^31`);
  }
  return new SharedArrayBuffer(HEAD + capacity);
}

class End {
  protected readonly positions: Int32Array<SharedArrayBuffer>;
  protected readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Of the position that this end moves. */
  protected position: number;

  constructor(memory: SharedArrayBuffer, mine: number) {
    this.positions = new Int32Array(memory, 0, HEAD / 4);
    this.bytes = new Uint8Array(memory, HEAD);
    this.position = Atomics.load(this.positions, mine);
  }

  /** Where a position is in the ring. */
  protected at(position: number): number {
    return position & (this.bytes.length - 1);
  }
}

/** The end that writes. */
export class RingWriter extends End {
  constructor(memory: SharedArrayBuffer) {
    super(memory, WRITTEN);
  }

  /** Writes the first of these bytes, as many as there is room for, and answers how many. The reader is not woken. */
  write(bytes: Uint8Array): number {
    const waiting = (this.position - Atomics.load(this.positions, READ)) | 0;
    const length = Math.min(bytes.length, this.bytes.length - waiting);
    const at = this.at(this.position);
    const first = Math.min(length, this.bytes.length - at);
    this.bytes.set(bytes.subarray(0, first), at);
    this.bytes.set(bytes.subarray(first, length), 0);
    this.position = (this.position + length) | 0;
    Atomics.store(this.positions, WRITTEN, this.position);
    return length;
  }

  /** Wakes the reader. */
  wake(): void {
    Atomics.notify(this.positions, WRITTEN);
  }

  /** Wakes the reader and stops this thread until it has made room. */
  waitForRoom(): void {
    this.wake();
    Atomics.wait(this.positions, READ, (this.position - this.bytes.length) | 0);
  }
}

/** The end that reads. */
export class RingReader extends End {
  constructor(memory: SharedArrayBuffer) {
    super(memory, READ);
  }

  /** Reads as many bytes as are there and fit, and answers how many. */
  read(into: Uint8Array): number {
    const waiting = (Atomics.load(this.positions, WRITTEN) - this.position) | 0;
    const length = Math.min(into.length, waiting);
    if (length === 0) return 0;
    const at = this.at(this.position);
    const first = Math.min(length, this.bytes.length - at);
    into.set(this.bytes.subarray(at, at + first));
    into.set(this.bytes.subarray(0, length - first), first);
    this.position = (this.position + length) | 0;
    Atomics.store(this.positions, READ, this.position);
    Atomics.notify(this.positions, READ);
    return length;
  }

  /** Resolves, in a task of its own, when there is more than was read. */
  async more(): Promise<void> {
    const waiting = Atomics.waitAsync(this.positions, WRITTEN, this.position);
    if (waiting.async) await waiting.value;
    else await anotherTask();
  }
}

/** Lets the page do what else there is; neither a timer nor a message would come as soon. */
async function anotherTask(): Promise<void> {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const waiting = Atomics.waitAsync(cell, 0, 0);
  Atomics.notify(cell, 0);
  if (waiting.async) await waiting.value;
}
