// What the technician sees: takes updates in turn, draws them, says what was drawn, and asks for everything anew when it
// cannot go on. Knows no page: it draws on a `Surface`.
import { type CursorShape, type ScreenUpdate } from '../wire/screen';
import { Picture, type Rectangle, ScreenError } from './picture';
import { MAX_RAW, type Zstd, ZstdError } from './zstd';

/** Where pictures are drawn; a canvas in the browser. */
export interface Surface {
  /** From now on the picture has this size and shows these pixels, which change in place. */
  resize(pixels: Uint8ClampedArray<ArrayBuffer>, width: number, height: number): void;
  /** These rectangles of the pixels have changed. */
  draw(dirty: readonly Rectangle[]): void;
  /** Show nothing: the technician no longer may see it. */
  clear(): void;
}

export interface ScreenEvents {
  seen(number: number): void;
  resync(): void;
  size(width: number, height: number): void;
  /** An update was corrupt; the viewer has asked for everything anew. */
  corrupt(error: ScreenError): void;
  /** Too many corrupt updates in a row: it makes no sense to ask again. */
  hopeless(error: ScreenError): void;
}

const MAX_CORRUPT = 3;
/** More rectangles than this are drawn as one. */
const MAX_RECTANGLES = 48;

export class ScreenView {
  private picture: Picture | undefined;
  /** Number of the picture held; 0: none, only an update with base 0 will do. */
  private held = 0;
  private asked = false;
  private corruptInRow = 0;
  private dirty: Rectangle[] = [];

  constructor(
    private readonly zstd: Zstd,
    private readonly surface: Surface,
    private readonly events: ScreenEvents,
  ) {}

  /** The screen was opened (again): updates of an earlier opening no longer fit. */
  opened(): void {
    this.held = 0;
    // The opening itself asks for everything.
    this.asked = true;
    this.corruptInRow = 0;
    this.dirty = [];
  }

  /** The technician no longer may see it. */
  closed(): void {
    this.opened();
    this.picture = undefined;
    this.surface.clear();
  }

  /** Applies an update and draws when its capture is whole. Never throws for what an update holds. */
  apply(update: ScreenUpdate): void {
    if (update.base !== 0 && update.base !== this.held) {
      this.resync();
      return;
    }
    try {
      this.change(update);
    } catch (error) {
      if (!(error instanceof ScreenError)) throw error;
      this.recover(error);
      return;
    }
    this.held = update.number;
    this.asked = false;
    if (update.more) return;
    this.corruptInRow = 0;
    this.surface.draw(mergeRectangles(this.dirty));
    this.dirty = [];
    this.events.seen(update.number);
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
    picture.apply(inflate(this.zstd, update.operationsZstd, rawLength), this.dirty);
  }

  private restart(width: number, height: number): Picture {
    let picture = this.picture;
    if (picture?.width === width && picture.height === height) {
      picture.blacken();
    } else {
      picture = new Picture(width, height);
      this.picture = picture;
      this.surface.resize(picture.pixels, width, height);
      this.events.size(width, height);
    }
    this.dirty = [{ x: 0, y: 0, width, height }];
    return picture;
  }

  private recover(error: ScreenError): void {
    this.held = 0;
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
    this.held = 0;
    this.dirty = [];
    if (this.asked) return;
    this.asked = true;
    this.events.resync();
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
