// The remote picture in memory, and the operations that change it. Specification: docs/protocol/screen.md.
//
// INVARIANT: no operation writes outside its rectangle, and no rectangle reaches outside the picture: `rectangle` checks
// it before anything is written.

import { MAX_SHIFT, smallSide, stretch, unpackPlanes } from './coarse';

/** Why an update cannot be applied. */
export type ScreenFault =
  'size' | 'length' | 'compression' | 'operation' | 'rectangle' | 'palette' | 'truncated' | 'video';

/** The only error that applying an update throws. */
export class ScreenError extends Error {
  override readonly name = 'ScreenError';
  constructor(
    readonly fault: ScreenFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** What concerns the video that covers the picture. */
export type FilmOperation =
  | { kind: 'frame'; stream: number; key: boolean; to: Rectangle; number: number; bytes: Uint8Array<ArrayBuffer> }
  | { kind: 'end'; stream: number };

/** Largest picture in pixels; 16-bit sides alone would allow 16 GiB. */
export const MAX_PIXELS = 64 * 1024 * 1024;
const BLACK = 0xff000000;

/** A picture of up to so many pixels finds its memory ready: one usual monitor. */
const READY_PIXELS = 1920 * 1080;
let readyMemory: ArrayBuffer | undefined;

/** Makes memory ready, black already, for the next picture that fits: the browser takes its time to give it. */
export function makeMemoryReady(): void {
  readyMemory = new ArrayBuffer(READY_PIXELS * 4);
  new Uint32Array(readyMemory).fill(BLACK);
}

export class Picture {
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
  /** The same memory, one number a pixel: 0xAABBGGRR, on the little-endian machines that browsers run on. */
  private readonly words: Uint32Array<ArrayBuffer>;
  /** Reused: rows that are copied onto themselves need no memory, a palette needs 16 words. */
  private readonly palette = new Uint32Array(16);
  private black = true;

  /** A black picture. Throws `ScreenError` when a side is 0 or the picture is too large. */
  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    if (width < 1 || height < 1 || width * height > MAX_PIXELS) {
      throw new ScreenError('size', `a picture of ${width} × ${height} cannot be shown`);
    }
    const size = width * height;
    const ready = size <= READY_PIXELS ? readyMemory : undefined;
    if (ready !== undefined) readyMemory = undefined;
    const memory = ready ?? new ArrayBuffer(size * 4);
    this.pixels = new Uint8ClampedArray(memory, 0, size * 4);
    this.words = new Uint32Array(memory, 0, size);
    if (ready === undefined) this.words.fill(BLACK);
  }

  blacken(): void {
    if (!this.black) this.words.fill(BLACK);
    this.black = true;
  }

  /**
   * Executes operations in order, adds what they changed to `dirty`, and hands on what is about video. Throws
   * `ScreenError`; then the picture is void.
   */
  apply(operations: Uint8Array, dirty: Rectangle[], film: (operation: FilmOperation) => void = noFilm): void {
    this.black = false;
    let at = 0;
    while (at < operations.length) {
      const kind = operations[at]!;
      at += 1;
      if (kind === 0x01) at = this.copy(operations, at, dirty);
      else if (kind === 0x02) at = this.solid(operations, at, dirty);
      else if (kind === 0x03) at = this.indexed(operations, at, dirty);
      else if (kind === 0x04) at = this.colour(operations, at, dirty);
      else if (kind === 0x05) at = this.video(operations, at, film);
      else if (kind === 0x06) at = videoEnd(operations, at, film);
      else if (kind === 0x07) at = this.coarse(operations, at, dirty);
      else throw new ScreenError('operation', `unknown operation ${kind}`);
    }
  }

  private copy(ops: Uint8Array, at: number, dirty: Rectangle[]): number {
    need(ops, at, 12);
    const [sourceX, sourceY] = [u16(ops, at), u16(ops, at + 2)];
    const to = this.rectangle(ops, at + 4);
    const { width, height } = to;
    this.within(sourceX, sourceY, width, height);
    const down = to.y <= sourceY;
    for (let step = 0; step < height; step += 1) {
      // Away from the overlap first, as if through a buffer.
      const row = down ? step : height - 1 - step;
      const source = (sourceY + row) * this.width + sourceX;
      this.words.copyWithin((to.y + row) * this.width + to.x, source, source + width);
    }
    dirty.push(to);
    return at + 12;
  }

  private solid(ops: Uint8Array, at: number, dirty: Rectangle[]): number {
    need(ops, at, 11);
    const to = this.rectangle(ops, at);
    const word = rgb(ops, at + 8);
    const right = to.x + to.width;
    for (let row = to.y; row < to.y + to.height; row += 1) {
      this.words.fill(word, row * this.width + to.x, row * this.width + right);
    }
    dirty.push(to);
    return at + 11;
  }

  private indexed(ops: Uint8Array, start: number, dirty: Rectangle[]): number {
    need(ops, start, 9);
    const to = this.rectangle(ops, start);
    const count = ops[start + 8]!;
    if (count < 2 || count > 16) throw new ScreenError('palette', `a palette of ${count} colours`);
    let at = start + 9;
    need(ops, at, count * 3);
    for (let index = 0; index < count; index += 1) this.palette[index] = rgb(ops, at + index * 3);
    at += count * 3;
    const bits = count === 2 ? 1 : count <= 4 ? 2 : 4;
    const stride = Math.ceil((to.width * bits) / 8);
    need(ops, at, stride * to.height);
    const mask = (1 << bits) - 1;
    for (let row = 0; row < to.height; row += 1, at += stride) {
      let out = (to.y + row) * this.width + to.x;
      for (let column = 0, bit = 0; column < to.width; column += 1, bit += bits) {
        const index = (ops[at + (bit >> 3)]! >> (8 - bits - (bit & 7))) & mask;
        if (index >= count) throw new ScreenError('palette', `colour ${index} of a palette of ${count}`);
        this.words[out] = this.palette[index]!;
        out += 1;
      }
    }
    dirty.push(to);
    return at;
  }

  private colour(ops: Uint8Array, start: number, dirty: Rectangle[]): number {
    need(ops, start, 8);
    const to = this.rectangle(ops, start);
    const size = to.width * to.height;
    need(ops, start + 8, size * 3);
    let red = start + 8;
    let green = red + size;
    let blue = green + size;
    const words = this.words;
    // Values in the first column of the row above; 0 above the first row.
    let [firstR, firstG, firstB] = [0, 0, 0];
    for (let row = 0; row < to.height; row += 1) {
      let out = (to.y + row) * this.width + to.x;
      let r = firstR + ops[red]!;
      let g = firstG + ops[green]!;
      let b = firstB + ops[blue]!;
      [firstR, firstG, firstB] = [r & 255, g & 255, b & 255];
      words[out] = BLACK | (((b + g) & 255) << 16) | ((g & 255) << 8) | ((r + g) & 255);
      for (let column = 1; column < to.width; column += 1) {
        r += ops[red + column]!;
        g += ops[green + column]!;
        b += ops[blue + column]!;
        out += 1;
        words[out] = BLACK | (((b + g) & 255) << 16) | ((g & 255) << 8) | ((r + g) & 255);
      }
      red += to.width;
      green += to.width;
      blue += to.width;
    }
    dirty.push(to);
    return start + 8 + size * 3;
  }

  private coarse(ops: Uint8Array, at: number, dirty: Rectangle[]): number {
    need(ops, at, 9);
    const shift = ops[at]!;
    if (shift < 1 || shift > MAX_SHIFT) throw new ScreenError('operation', `a stretch by 2 to the power of ${shift}`);
    const to = this.rectangle(ops, at + 1);
    const [width, height] = [smallSide(to.width, shift), smallSide(to.height, shift)];
    const size = width * height * 3;
    need(ops, at + 9, size);
    stretch(unpackPlanes(ops, at + 9, width, height), to, shift, this.words, this.width);
    dirty.push(to);
    return at + 9 + size;
  }

  private video(ops: Uint8Array, at: number, film: (operation: FilmOperation) => void): number {
    need(ops, at, 18);
    const [stream, flag] = [ops[at]!, ops[at + 1]!];
    if (flag > 1) throw new ScreenError('video', `a frame of video that is ${flag}`);
    const to = this.rectangle(ops, at + 2);
    const [number, length] = [u32(ops, at + 10), u32(ops, at + 14)];
    if (length === 0) throw new ScreenError('video', 'an empty frame of video');
    need(ops, at + 18, length);
    const bytes = ops.slice(at + 18, at + 18 + length);
    film({ kind: 'frame', stream, key: flag === 1, to, number, bytes });
    return at + 18 + length;
  }

  private rectangle(ops: Uint8Array, at: number): Rectangle {
    const [x, y, width, height] = [u16(ops, at), u16(ops, at + 2), u16(ops, at + 4), u16(ops, at + 6)];
    this.within(x, y, width, height);
    return { x, y, width, height };
  }

  private within(x: number, y: number, width: number, height: number): void {
    if (width < 1 || height < 1 || x + width > this.width || y + height > this.height) {
      throw new ScreenError(
        'rectangle',
        `${width} × ${height} at ${x}, ${y} is not inside ${this.width} × ${this.height}`,
      );
    }
  }
}

function need(ops: Uint8Array, at: number, length: number): void {
  if (ops.length - at < length) throw new ScreenError('truncated', 'an operation ends too early');
}

function videoEnd(ops: Uint8Array, at: number, film: (operation: FilmOperation) => void): number {
  need(ops, at, 1);
  film({ kind: 'end', stream: ops[at]! });
  return at + 1;
}

function noFilm(): never {
  throw new ScreenError('video', 'video that was not asked for');
}

function u32(ops: Uint8Array, at: number): number {
  return u16(ops, at) * 0x10000 + u16(ops, at + 2);
}

function u16(ops: Uint8Array, at: number): number {
  return (ops[at]! << 8) | ops[at + 1]!;
}

function rgb(ops: Uint8Array, at: number): number {
  return (BLACK | (ops[at + 2]! << 16) | (ops[at + 1]! << 8) | ops[at]!) >>> 0;
}
