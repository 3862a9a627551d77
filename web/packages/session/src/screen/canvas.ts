// A surface that is a canvas of the page.
import { type Still } from './films';
import { Lens } from './lens';
import { type Rectangle } from './picture';
import { type Surface } from './view';

export class CanvasSurface implements Surface {
  private readonly context: CanvasRenderingContext2D;
  private readonly lens: Lens;
  private image: ImageData | undefined;

  constructor(private readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext('2d', { alpha: false, desynchronized: false });
    if (context === null) throw new Error('this browser gives no 2d context for the screen, close other tabs and reload');
    this.context = context;
    // A film that plays at that moment is there again with its next frame.
    this.lens = new Lens(canvas, () => this.lens.draw([{ x: 0, y: 0, width: canvas.width, height: canvas.height }]));
  }

  resize(pixels: Uint8ClampedArray<ArrayBuffer>, width: number, height: number): void {
    this.image = new ImageData(pixels, width, height);
    // Black already where the size stays: the browser is not made to give it new memory.
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    this.lens.show(pixels);
  }

  draw(dirty: readonly Rectangle[]): void {
    if (this.image === undefined) return;
    for (const { x, y, width, height } of dirty) {
      this.context.putImageData(this.image, 0, 0, x, y, width, height);
    }
    this.lens.draw(dirty);
  }

  cover(still: Still, to: Rectangle): void {
    this.context.drawImage(still, to.x, to.y, to.width, to.height);
    this.lens.cover(still, to);
  }

  clear(): void {
    this.image = undefined;
    this.context.fillStyle = '#000';
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.lens.show(undefined);
  }

  close(): void {
    this.lens.close();
  }
}
