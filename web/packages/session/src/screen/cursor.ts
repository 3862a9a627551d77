// The remote pointer: as the browser's own pointer while the technician controls, as a small canvas over the picture
// while he only looks.
import { type Fit, pictureBox } from '../place';

/** The pointer's picture with its hot spot; `undefined` when it is hidden. */
export type CursorPicture =
  { hotX: number; hotY: number; width: number; height: number; pixels: Uint8ClampedArray<ArrayBuffer> } | undefined;

/** Shows the remote pointer; without a page there is none. */
export interface CursorSink {
  shape(picture: CursorPicture): void;
  position(x: number, y: number): void;
  /** control: the browser's pointer is the remote one; view: it is drawn; off: nothing is shown. */
  mode(mode: 'control' | 'view' | 'off'): void;
  close(): void;
}

/** Browsers ignore larger pictures for their own pointer. */
const MAX_OWN_SIDE = 128;

export class CanvasCursor implements CursorSink {
  private readonly overlay: HTMLCanvasElement;
  private picture: CursorPicture;
  private at: { x: number; y: number } | undefined;
  private current: 'control' | 'view' | 'off' = 'off';
  private ownStyle = 'default';
  private readonly observer: ResizeObserver;
  private readonly originalStyle: string;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.originalStyle = canvas.style.cursor;
    this.overlay = canvas.ownerDocument.createElement('canvas');
    this.overlay.setAttribute('aria-hidden', 'true');
    Object.assign(this.overlay.style, { position: 'absolute', pointerEvents: 'none', display: 'none' });
    this.observer = new ResizeObserver(() => this.place());
    this.observer.observe(canvas);
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
    if (this.current === 'view') this.place();
  }

  mode(mode: 'control' | 'view' | 'off'): void {
    if (mode === 'off') this.at = undefined;
    this.current = mode;
    this.show();
  }

  close(): void {
    this.observer.disconnect();
    this.overlay.remove();
    this.canvas.style.cursor = this.originalStyle;
  }

  private asOwnPointer(picture: NonNullable<CursorPicture>): string {
    const scale = Math.min(1, MAX_OWN_SIDE / Math.max(picture.width, picture.height));
    let source = this.overlay;
    if (scale < 1) {
      source = this.canvas.ownerDocument.createElement('canvas');
      source.width = Math.max(1, Math.round(picture.width * scale));
      source.height = Math.max(1, Math.round(picture.height * scale));
      source.getContext('2d')?.drawImage(this.overlay, 0, 0, source.width, source.height);
    }
    const hotX = Math.min(Math.round(picture.hotX * scale), source.width - 1);
    const hotY = Math.min(Math.round(picture.hotY * scale), source.height - 1);
    return `url(${source.toDataURL('image/png')}) ${hotX} ${hotY}, default`;
  }

  private show(): void {
    this.canvas.style.cursor = this.current === 'control' ? this.ownStyle : this.originalStyle;
    this.place();
  }

  /** Puts the overlay beside the canvas, which may have moved into another part of the page. */
  private settle(): void {
    const parent = this.canvas.parentElement;
    if (parent === null || this.overlay.previousElementSibling === this.canvas) return;
    // Left and top must count from where the canvas scrolls along.
    if (getComputedStyle(parent).position === 'static') parent.style.position = 'relative';
    this.canvas.after(this.overlay);
  }

  private place(): void {
    const { canvas, overlay, picture, at } = this;
    if (this.current !== 'view' || picture === undefined || at === undefined || canvas.width === 0) {
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
