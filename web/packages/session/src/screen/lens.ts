// The picture at less than half of its size, well filtered: a canvas over the real one that is there only while it is needed.
import { AreaFilter } from './filter';
import { type Still } from './films';
import { type Rectangle } from './picture';

/** Above this part of the size the browser's own scaling loses nothing. */
const HALF = 0.5;

export class Lens {
  private readonly overlay: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D | null;
  private readonly observer: ResizeObserver;
  private words: Uint32Array | undefined;
  private filter: AreaFilter | undefined;

  /** `redraw` is called when everything has to be drawn anew, films too. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly redraw: () => void,
  ) {
    this.overlay = canvas.ownerDocument.createElement('canvas');
    this.overlay.setAttribute('aria-hidden', 'true');
    this.overlay.dataset.testid = 'screen-small';
    Object.assign(this.overlay.style, { position: 'absolute', pointerEvents: 'none', display: 'none' });
    this.context = this.overlay.getContext('2d', { alpha: false });
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(canvas);
  }

  /** From now on the picture has these pixels; `undefined`: there is none. */
  show(pixels: Uint8ClampedArray<ArrayBuffer> | undefined): void {
    this.words = pixels && new Uint32Array(pixels.buffer, pixels.byteOffset, pixels.length / 4);
    this.filter = undefined;
    this.measure();
  }

  draw(dirty: readonly Rectangle[]): void {
    const { filter, words, context } = this;
    if (filter === undefined || words === undefined || context === null) return;
    for (const rectangle of dirty) {
      const to = filter.covered(rectangle);
      if (to.width < 1 || to.height < 1) continue;
      const small = filter.filtered(words, to);
      context.putImageData(new ImageData(new Uint8ClampedArray(small.buffer), to.width, to.height), to.x, to.y);
    }
  }

  cover(still: Still, { x, y, width, height }: Rectangle): void {
    if (this.filter === undefined || this.context === null) return;
    const [across, down] = [this.overlay.width / this.canvas.width, this.overlay.height / this.canvas.height];
    this.context.imageSmoothingQuality = 'medium';
    this.context.drawImage(still, x * across, y * down, width * across, height * down);
  }

  close(): void {
    this.observer.disconnect();
    this.overlay.remove();
  }

  /** Whether the picture is shown so small, and if so how small, in the pixels of this screen. */
  private measure(): void {
    const { canvas, overlay } = this;
    const ratio = canvas.ownerDocument.defaultView?.devicePixelRatio ?? 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    const small = width > 0 && height > 0 && width < canvas.width * HALF && height <= canvas.height;
    if (!small || this.words?.length !== canvas.width * canvas.height || canvas.parentElement === null) {
      this.filter = undefined;
      overlay.style.display = 'none';
      return;
    }
    if (overlay.parentElement !== canvas.parentElement) {
      if (getComputedStyle(canvas.parentElement).position === 'static') canvas.parentElement.style.position = 'relative';
      canvas.after(overlay);
    }
    Object.assign(overlay.style, {
      display: 'block',
      left: `${canvas.offsetLeft + canvas.clientLeft}px`,
      top: `${canvas.offsetTop + canvas.clientTop}px`,
      width: `${canvas.clientWidth}px`,
      height: `${canvas.clientHeight}px`,
    });
    if (this.filter !== undefined && overlay.width === width && overlay.height === height) return;
    [overlay.width, overlay.height] = [width, height];
    this.filter = new AreaFilter(canvas, { width, height });
    this.redraw();
  }
}
