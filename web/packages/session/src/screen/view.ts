// What the technician sees: takes updates in turn, draws them, says what was drawn, and asks for everything anew when it
// cannot go on. A capture with frames of video is drawn when these are decoded; later ones wait for it. Knows no page: it
// draws on a `Surface`.
import { type CursorShape, type ScreenUpdate } from '../wire/screen';
import { emptyScene, Films, type OpenFilm, type Scene, type Still } from './films';
import { MAX_PIXELS, Picture, type Rectangle, ScreenError } from './picture';
import { type Placed, sizeOf } from './size';
import { MAX_RAW, type Zstd, ZstdError } from './zstd';

/** Where pictures are drawn; a canvas in the browser. */
export interface Surface {
  /** From now on the picture has this size and shows these pixels, which change in place. All of it is drawn next. */
  resize(pixels: Uint8ClampedArray<ArrayBuffer>, width: number, height: number): void;
  /** These rectangles of the pixels have changed. */
  draw(dirty: readonly Rectangle[]): void;
  /** Draw a frame of video over this rectangle. It is drawn again when what lies under it is drawn. */
  cover(still: Still, to: Rectangle): void;
  /** Show nothing: the technician no longer may see it. */
  clear(): void;
  /** Nothing is shown any more, and nothing watched. */
  close?(): void;
}

export interface ScreenEvents {
  seen(number: number): void;
  resync(): void;
  /** A capture was drawn; how many milliseconds it took to decode and to draw. */
  drawn?(decode: number, draw: number): void;
  size(width: number, height: number): void;
  /** An update was corrupt; the viewer has asked for everything anew. */
  corrupt(error: ScreenError): void;
  /** Too many corrupt updates in a row: it makes no sense to ask again. */
  hopeless(error: ScreenError): void;
}

const NOTHING_DECODED: ReadonlyMap<number, Still> = new Map();
const MAX_CORRUPT = 3;
/** More rectangles than this are drawn as one. */
const MAX_RECTANGLES = 48;
/** Updates, and bytes of them, that may wait for a frame of video; the applet sends two captures ahead. */
const MAX_QUEUE = 1024;
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;

export class ScreenView {
  private picture: Picture | undefined;
  /** A black picture of the size that was shown last, for when it is shown again. */
  private spare: Picture | undefined;
  /** Number of the picture held; 0: none, only an update with base 0 will do. */
  private held = 0;
  private asked = false;
  private corruptInRow = 0;
  private dirty: Rectangle[] = [];
  /** Milliseconds that the capture under way has taken to decode so far. */
  private decodeTime = 0;
  private readonly films: Films;
  private scene: Scene = emptyScene();
  /** A capture whose frames of video are being decoded: what comes meanwhile waits in the queue. */
  private decoding = false;
  private queue: ScreenUpdate[] = [];
  private queuedBytes = 0;
  /** Counts openings: what was being decoded for an earlier one is not shown. */
  private opening = 0;

  /** Without `openFilm` there must be no video in the updates. */
  constructor(
    private readonly zstd: Zstd,
    private readonly surface: Surface,
    private readonly events: ScreenEvents,
    openFilm?: OpenFilm,
  ) {
    this.films = new Films(openFilm);
  }

  /** Places that are shown as video. */
  get filmCount(): number {
    return this.films.count;
  }

  /** The screen was opened (again): updates of an earlier opening no longer fit. */
  opened(): void {
    this.forget();
    // The opening itself asks for everything.
    this.asked = true;
    this.corruptInRow = 0;
    this.opening += 1;
    this.decoding = false;
    this.queue = [];
    this.queuedBytes = 0;
  }

  /** The first picture of this monitor is about to come: the memory for it is made while it is on its way. */
  expect(list: readonly Placed[], chosen: number): void {
    const { width, height } = sizeOf(list, chosen);
    if (this.picture === undefined && width > 0 && height > 0 && width * height <= MAX_PIXELS) this.make(width, height);
  }

  /** The technician no longer may see it. */
  closed(): void {
    this.opened();
    this.surface.clear();
    this.picture?.blacken();
    this.spare = this.picture ?? this.spare;
    this.picture = undefined;
  }

  /** Applies an update and draws when its capture is whole. Never throws for what an update holds. */
  apply(update: ScreenUpdate): void {
    if (!this.decoding) {
      this.take(update);
      return;
    }
    this.queuedBytes += update.operationsZstd.length;
    if (this.queue.length >= MAX_QUEUE || this.queuedBytes > MAX_QUEUED_BYTES) {
      // More than any applet sends: nothing of it is kept.
      this.opening += 1;
      this.decoding = false;
      this.queue = [];
      this.queuedBytes = 0;
      this.recover(new ScreenError('length', 'too many updates while a frame of video is decoded'));
      return;
    }
    this.queue.push(update);
  }

  private take(update: ScreenUpdate): void {
    if (update.base !== 0 && update.base !== this.held) {
      this.resync();
      return;
    }
    const start = performance.now();
    try {
      this.change(update);
    } catch (error) {
      if (!(error instanceof ScreenError)) throw error;
      this.recover(error);
      return;
    }
    this.held = update.number;
    this.asked = false;
    this.decodeTime += performance.now() - start;
    if (update.more) return;
    if (this.scene.changes.size === 0) this.draw(update.number, NOTHING_DECODED);
    else void this.drawDecoded(update.number);
  }

  private async drawDecoded(number: number): Promise<void> {
    const { opening, scene } = this;
    const start = performance.now();
    this.decoding = true;
    let fault: ScreenError | undefined;
    let decoded = NOTHING_DECODED;
    try {
      decoded = await this.films.decoded(scene);
    } catch (error) {
      if (!(error instanceof ScreenError)) throw error;
      fault = error;
    }
    if (opening !== this.opening) {
      this.films.drop(scene);
      return;
    }
    this.decoding = false;
    this.decodeTime += performance.now() - start;
    if (fault === undefined) this.draw(number, decoded);
    else this.recover(fault);
    while (!this.decoding && opening === this.opening) {
      const next = this.queue.shift();
      if (next === undefined) return;
      this.queuedBytes -= next.operationsZstd.length;
      this.take(next);
    }
  }

  private draw(number: number, decoded: ReadonlyMap<number, Still>): void {
    const dirty = mergeRectangles([...this.dirty, ...this.scene.uncovered]);
    this.corruptInRow = 0;
    const start = performance.now();
    this.surface.draw(dirty);
    for (const { to, still } of this.films.show(this.scene, decoded, dirty)) this.surface.cover(still, to);
    this.dirty = [];
    this.scene = emptyScene();
    this.events.drawn?.(this.decodeTime, performance.now() - start);
    this.decodeTime = 0;
    this.events.seen(number);
  }

  private change(update: ScreenUpdate): void {
    const { number, base, width, height, rawLength } = update;
    if (number <= base) throw new ScreenError('length', `update ${number} builds on the later ${base}`);
    if (rawLength > Math.min(16 + width * height * 8, MAX_RAW)) {
      throw new ScreenError('length', `${rawLength} bytes of operations for ${width} × ${height}`);
    }
    const picture = base === 0 ? this.restart(width, height) : this.picture;
    if (picture === undefined || picture.width !== width || picture.height !== height) {
      throw new ScreenError('size', `${width} × ${height} does not go on from the picture held`);
    }
    const operations = inflate(this.zstd, update.operationsZstd, rawLength);
    picture.apply(operations, this.dirty, (operation) => this.films.take(operation, this.scene));
  }

  private restart(width: number, height: number): Picture {
    this.forget();
    let picture = this.picture;
    if (picture?.width === width && picture.height === height) {
      picture.blacken();
    } else {
      picture = this.make(width, height);
    }
    this.dirty = [{ x: 0, y: 0, width, height }];
    return picture;
  }

  private make(width: number, height: number): Picture {
    const { spare } = this;
    const picture = spare?.width === width && spare.height === height ? spare : new Picture(width, height);
    this.picture = picture;
    this.spare = undefined;
    this.surface.resize(picture.pixels, width, height);
    this.events.size(width, height);
    return picture;
  }

  private recover(error: ScreenError): void {
    this.forget();
    this.asked = false;
    this.corruptInRow += 1;
    if (this.corruptInRow > MAX_CORRUPT) {
      this.asked = true;
      this.events.hopeless(error);
      return;
    }
    this.events.corrupt(error);
    this.resync();
  }

  private resync(): void {
    this.forget();
    if (this.asked) return;
    this.asked = true;
    this.events.resync();
  }

  /** Nothing is held, and no film goes on. */
  private forget(): void {
    this.held = 0;
    this.dirty = [];
    this.decodeTime = 0;
    this.films.drop(this.scene);
    this.films.clear();
    this.scene = emptyScene();
  }
}

function inflate(zstd: Zstd, compressed: Uint8Array, rawLength: number): Uint8Array {
  try {
    return zstd.decode(compressed, rawLength);
  } catch (cause) {
    if (cause instanceof ZstdError) throw new ScreenError('compression', cause.message, { cause });
    throw cause;
  }
}

/** The pixels of a pointer, RGBA; `undefined` when it is hidden. Throws `ScreenError`. */
export function cursorPixels(zstd: Zstd, shape: CursorShape): Uint8ClampedArray<ArrayBuffer> | undefined {
  if (shape.width === 0 || shape.height === 0) return undefined;
  return new Uint8ClampedArray(inflate(zstd, shape.rgbaZstd, shape.width * shape.height * 4));
}

/** Fewer rectangles that cover the same: neighbours are joined, and very many become their common frame. */
export function mergeRectangles(dirty: readonly Rectangle[]): Rectangle[] {
  const merged: Rectangle[] = [];
  for (const next of dirty) {
    const last = merged.at(-1);
    const joined = last === undefined ? undefined : frameOf(last, next);
    if (last !== undefined && joined !== undefined && area(joined) <= (area(last) + area(next)) * 1.2) {
      merged[merged.length - 1] = joined;
    } else {
      merged.push(next);
    }
  }
  if (merged.length <= MAX_RECTANGLES) return merged;
  return [merged.reduce(frameOf)];
}

function area(of: Rectangle): number {
  return of.width * of.height;
}

function frameOf(a: Rectangle, b: Rectangle): Rectangle {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  return {
    x,
    y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}
