// Makes a picture smaller by the mean of the area under each new pixel: what a browser does itself, nearest or at best two by two
// pixels, loses lines and letters below half of the size. Knows no page.
import { type Rectangle } from './picture';

export interface Size {
  width: number;
  height: number;
}

/** The pixels under one column or row of the smaller picture: the first of them, and the weight of each; weights add up to 256. */
interface Span {
  first: number;
  weights: number[];
}

/** A filter from one size to a smaller one. */
export class AreaFilter {
  private readonly columns: Span[];
  private readonly rows: Span[];
  /** Sums of a row: red and blue in one number, green in another. Reused. */
  private readonly redBlue: Uint32Array;
  private readonly green: Uint32Array;

  /** Both sizes are not empty, and `small` is at most as large as `large` in both directions. */
  constructor(
    private readonly large: Size,
    private readonly small: Size,
  ) {
    this.columns = spans(large.width, small.width);
    this.rows = spans(large.height, small.height);
    this.redBlue = new Uint32Array(large.width);
    this.green = new Uint32Array(large.width);
  }

  /** The pixels of the smaller picture that a rectangle of the larger has a part in. */
  covered({ x, y, width, height }: Rectangle): Rectangle {
    const [across, down] = [this.small.width / this.large.width, this.small.height / this.large.height];
    const [left, top] = [Math.floor(x * across), Math.floor(y * down)];
    const right = Math.min(Math.ceil((x + width) * across), this.small.width);
    const bottom = Math.min(Math.ceil((y + height) * down), this.small.height);
    return { x: left, y: top, width: right - left, height: bottom - top };
  }

  /** These pixels of the smaller picture, row by row. `words`: the larger picture, 0xAABBGGRR. */
  filtered(words: Uint32Array, to: Rectangle): Uint32Array<ArrayBuffer> {
    const out = new Uint32Array(to.width * to.height);
    const from = this.columns[to.x]!.first;
    const last = this.columns[to.x + to.width - 1]!;
    const end = last.first + last.weights.length;
    for (let row = 0, at = 0; row < to.height; row += 1) {
      this.addRows(words, this.rows[to.y + row]!, from, end);
      for (let column = to.x; column < to.x + to.width; column += 1, at += 1) out[at] = this.pixel(this.columns[column]!);
    }
    return out;
  }

  /** The weighted mean of the rows under a row, in the columns `from` to `end`. */
  private addRows(words: Uint32Array, { first, weights }: Span, from: number, end: number): void {
    const { redBlue, green } = this;
    redBlue.fill(0x800080, from, end);
    green.fill(0x80, from, end);
    for (let index = 0; index < weights.length; index += 1) {
      const weight = weights[index]!;
      const start = (first + index) * this.large.width;
      for (let column = from; column < end; column += 1) {
        const word = words[start + column]!;
        redBlue[column] = redBlue[column]! + Math.imul(word & 0xff00ff, weight);
        green[column] = green[column]! + ((word >>> 8) & 0xff) * weight;
      }
    }
    for (let column = from; column < end; column += 1) {
      redBlue[column] = (redBlue[column]! >>> 8) & 0xff00ff;
      green[column] = green[column]! >>> 8;
    }
  }

  private pixel({ first, weights }: Span): number {
    let redBlue = 0x800080;
    let green = 0x80;
    for (let index = 0; index < weights.length; index += 1) {
      const weight = weights[index]!;
      redBlue += Math.imul(this.redBlue[first + index]!, weight) >>> 0;
      green += this.green[first + index]! * weight;
    }
    return (0xff000000 | ((redBlue >>> 8) & 0xff00ff) | (green & 0xff00)) >>> 0;
  }
}

function spans(large: number, small: number): Span[] {
  const width = large / small;
  return Array.from({ length: small }, (_, index) => {
    const [from, to] = [index * width, Math.min((index + 1) * width, large)];
    const first = Math.floor(from);
    const count = Math.max(Math.ceil(to - 1e-9) - first, 1);
    // Each edge is rounded, not each weight: so they add up, and no error adds up.
    const edge = (pixel: number): number => Math.round(((Math.min(pixel, to) - from) / (to - from)) * 256);
    const weights = Array.from({ length: count }, (_none, step) => {
      return edge(first + step + 1) - (step === 0 ? 0 : edge(first + step));
    });
    return { first, weights };
  });
}
