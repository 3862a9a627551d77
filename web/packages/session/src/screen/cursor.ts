// The remote pointer: as the browser's own pointer while the technician controls, as a small canvas over the picture
// while he only looks, or moves it by steps.
import { type Fit, pictureBox } from '../place';

/** The pointer's picture with its hot spot; `undefined` when it is hidden. */
export type CursorPicture =
  { hotX: number; hotY: number; width: number; height: number; pixels: Uint8ClampedArray<ArrayBuffer> } | undefined;

/** Shows the remote pointer; without a page there is none. */
export interface CursorSink {
  shape(picture: CursorPicture): void;
  position(x: number, y: number): void;
  /** control: the browser's pointer is the remote one, drawn while the page holds the browser's; view: it is drawn; off: nothing is shown. */
  mode(mode: 'control' | 'view' | 'off'): void;
  close(): void;
}

/** Browsers ignore larger pictures for their own pointer; in CSS pixels. */
const MAX_OWN_SIDE = 128;
/** A pointer must be seen however small the screen is drawn: its longer side is not made smaller than this, in CSS pixels. */
const MIN_OWN_SIDE = 16;

/** CSS pixels for one of the pointer's, where the screen is drawn with `view` CSS pixels for one of its own. */
export function ownScale(longest: number, view: number): number {
  const least = Math.min(1, MIN_OWN_SIDE / longest);
  return Math.min(Math.max(view, least), MAX_OWN_SIDE / longest);
}

export class CanvasCursor implements CursorSink {
  private readonly overlay: HTMLCanvasElement;
  private picture: CursorPicture;
  private at: { x: number; y: number } | undefined;
  private current: 'control' | 'view' | 'off' = 'off';
  private ownStyle = 'default';
  private readonly observer: ResizeObserver;
  private readonly originalStyle: string;
  private readonly closed = new AbortController();

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.originalStyle = canvas.style.cursor;
    this.overlay = canvas.ownerDocument.createElement('canvas');
    this.overlay.setAttribute('aria-hidden', 'true');
    Object.assign(this.overlay.style, { position: 'absolute', pointerEvents: 'none', display: 'none', zIndex: '1' });
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(canvas);
    canvas.ownerDocument.addEventListener('pointerlockchange', () => this.place(), { signal: this.closed.signal });
  }

  shape(picture: CursorPicture): void {
    this.picture = picture;
    if (picture === undefined) {
      this.ownStyle = 'none';
    } else {
      const { width, height, pixels } = picture;
      this.overlay.width = width;
      this.overlay.height = height;
      this.overlay.getContext('2d')?.putImageData(new ImageData(pixels, width, height), 0, 0);
      this.ownStyle = this.asOwnPointer(picture);
    }
    this.show();
  }

  position(x: number, y: number): void {
    this.at = { x, y };
    if (!this.drawn) return;
    this.place();
    // A picture larger than its view follows the pointer, which no hand leads to the edge.
    if (this.held) this.overlay.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
  }

  mode(mode: 'control' | 'view' | 'off'): void {
    if (mode === 'off') this.at = undefined;
    this.current = mode;
    this.show();
  }

  close(): void {
    this.observer.disconnect();
    this.closed.abort();
    this.overlay.remove();
    this.canvas.style.cursor = this.originalStyle;
  }

  private asOwnPointer(picture: NonNullable<CursorPicture>): string {
    const view = this.canvas.width > 0 && this.canvas.clientWidth > 0 ? this.canvas.clientWidth / this.canvas.width : 1;
    const scale = ownScale(Math.max(picture.width, picture.height), view);
    const ratio = this.canvas.ownerDocument.defaultView?.devicePixelRatio ?? 1;
    const side = (pixels: number): number => Math.max(1, Math.round(pixels * scale * ratio));
    const source = this.canvas.ownerDocument.createElement('canvas');
    [source.width, source.height] = [side(picture.width), side(picture.height)];
    const context = source.getContext('2d');
    if (context !== null) {
      context.imageSmoothingQuality = 'high';
      context.drawImage(this.overlay, 0, 0, source.width, source.height);
    }
    const hot = (at: number, sides: number): number => Math.min(Math.round(at * scale), Math.max(Math.ceil(sides / ratio) - 1, 0));
    const [hotX, hotY] = [hot(picture.hotX, source.width), hot(picture.hotY, source.height)];
    const url = `url(${source.toDataURL('image/png')})`;
    // One image pixel for one of this screen's.
    const dense = `image-set(${url} ${ratio}x) ${hotX} ${hotY}, default`;
    if (ratio === 1 || !CSS.supports('cursor', dense)) return `${url} ${hotX} ${hotY}, default`;
    return dense;
  }

  /** Whether the part of the page around the picture holds the browser's pointer. */
  private get held(): boolean {
    return this.canvas.ownerDocument.pointerLockElement?.contains(this.canvas) === true;
  }

  private get drawn(): boolean {
    return this.current === 'view' || (this.current === 'control' && this.held);
  }

  private resized(): void {
    if (this.picture !== undefined) this.ownStyle = this.asOwnPointer(this.picture);
    this.show();
  }

  private show(): void {
    this.canvas.style.cursor = this.current === 'control' ? this.ownStyle : this.originalStyle;
    this.place();
  }

  /** Puts the overlay beside the canvas, which may have moved into another part of the page. */
  private settle(): void {
    const parent = this.canvas.parentElement;
    if (parent === null || this.overlay.parentElement === parent) return;
    // Left and top must count from where the canvas scrolls along.
    if (getComputedStyle(parent).position === 'static') parent.style.position = 'relative';
    this.canvas.after(this.overlay);
  }

  private place(): void {
    const { canvas, overlay, picture, at } = this;
    if (!this.drawn || picture === undefined || at === undefined || canvas.width === 0) {
      overlay.style.display = 'none';
      return;
    }
    this.settle();
    // In the layout's own pixels, which is what the overlay's left and top count in too.
    const box = pictureBox(
      { left: canvas.offsetLeft + canvas.clientLeft, top: canvas.offsetTop + canvas.clientTop },
      { width: canvas.clientWidth, height: canvas.clientHeight },
      canvas,
      getComputedStyle(canvas).objectFit as Fit,
    );
    const [scaleX, scaleY] = [box.width / canvas.width, box.height / canvas.height];
    Object.assign(overlay.style, {
      display: 'block',
      left: `${box.left + (at.x - picture.hotX) * scaleX}px`,
      top: `${box.top + (at.y - picture.hotY) * scaleY}px`,
      width: `${picture.width * scaleX}px`,
      height: `${picture.height * scaleY}px`,
    });
  }
}
