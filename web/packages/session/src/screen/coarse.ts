// Coarse rectangles: a small picture stretched, computed as the applet computes it, to the last bit.
// Specification: docs/protocol/screen.md.
import { type Rectangle } from './picture';

/** Largest stretch: 2 to this power. The smallest is 1. */
export const MAX_SHIFT = 3;

const OPAQUE = 0xff000000;

/** Width or height of the small picture for a side of the rectangle. */
export function smallSide(side: number, shift: number): number {
  return (side + (1 << shift) - 1) >> shift;
}

/** Red, green and blue of a picture of three planes of differences that begin at `at`; they must all be there. */
export function unpackPlanes(ops: Uint8Array, at: number, width: number, height: number): Uint8Array {
  const size = width * height;
  const out = new Uint8Array(size * 3);
  let [firstR, firstG, firstB] = [0, 0, 0];
  for (let row = 0, place = 0; row < height; row += 1) {
    let [r, g, b] = [firstR, firstG, firstB];
    for (let column = 0; column < width; column += 1, place += 1) {
      r += ops[at + place]!;
      g += ops[at + size + place]!;
      b += ops[at + 2 * size + place]!;
      if (column === 0) [firstR, firstG, firstB] = [r & 255, g & 255, b & 255];
      out[place * 3] = r + g;
      out[place * 3 + 1] = g;
      out[place * 3 + 2] = b + g;
    }
  }
  return out;
}

/**
 * Stretches a small picture over a rectangle of `words`, bilinearly: the centre of each small pixel is the centre of its
 * square, and beyond the outermost centres their colour goes on.
 */
export function stretch(small: Uint8Array, to: Rectangle, shift: number, words: Uint32Array, stride: number): void {
  const [width, height] = [smallSide(to.width, shift), smallSide(to.height, shift)];
  const parts = 2 << shift;
  const [half, last] = [2 << (2 * shift), 2 + 2 * shift];
  const blend = new Uint16Array(width * 3);
  for (let y = 0; y < to.height; y += 1) {
    const middle = 2 * y + 1 - (1 << shift);
    const upper = Math.floor(middle / parts);
    const weight = middle - upper * parts;
    const [above, below] = [Math.max(upper, 0) * width * 3, Math.min(upper + 1, height - 1) * width * 3];
    for (let at = 0; at < blend.length; at += 1) {
      blend[at] = small[above + at]! * (parts - weight) + small[below + at]! * weight;
    }
    let out = (to.y + y) * stride + to.x;
    for (let x = 0; x < to.width; x += 1, out += 1) {
      const place = 2 * x + 1 - (1 << shift);
      const before = Math.floor(place / parts);
      const second = place - before * parts;
      const first = parts - second;
      const [left, right] = [Math.max(before, 0) * 3, Math.min(before + 1, width - 1) * 3];
      const r = (blend[left]! * first + blend[right]! * second + half) >> last;
      const g = (blend[left + 1]! * first + blend[right + 1]! * second + half) >> last;
      const b = (blend[left + 2]! * first + blend[right + 2]! * second + half) >> last;
      words[out] = OPAQUE | (b << 16) | (g << 8) | r;
    }
  }
}
