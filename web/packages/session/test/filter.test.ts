// A smaller picture: the mean of what lies under each pixel, and the same whether it is made at once or in pieces.
import { expect, test } from 'vitest';
import { AreaFilter } from '../src/screen/filter';
import { Random } from './random';

function channels(word: number): number[] {
  return [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24];
}

/** The mean of the area under a pixel, the slow and sure way. */
function mean(words: Uint32Array, large: { width: number; height: number }, small: { width: number; height: number }, x: number, y: number): number[] {
  const [across, down] = [large.width / small.width, large.height / small.height];
  const sums = [0, 0, 0];
  for (let row = 0; row < large.height; row += 1) {
    const tall = Math.min(row + 1, (y + 1) * down) - Math.max(row, y * down);
    if (tall <= 0) continue;
    for (let column = 0; column < large.width; column += 1) {
      const wide = Math.min(column + 1, (x + 1) * across) - Math.max(column, x * across);
      if (wide <= 0) continue;
      const seen = channels(words[row * large.width + column]!);
      for (let channel = 0; channel < 3; channel += 1) sums[channel]! += (seen[channel]! * wide * tall) / (across * down);
    }
  }
  return sums;
}

test.each([
  [{ width: 40, height: 30 }, { width: 20, height: 15 }],
  [{ width: 97, height: 61 }, { width: 31, height: 17 }],
  [{ width: 64, height: 8 }, { width: 9, height: 8 }],
  [{ width: 12, height: 200 }, { width: 1, height: 1 }],
  [{ width: 7, height: 5 }, { width: 7, height: 5 }],
])('from %j to %j every pixel is the mean of its area', (large, small) => {
  const random = new Random(3);
  const words = Uint32Array.from({ length: large.width * large.height }, () => (0xff000000 | random.below(0x1000000)) >>> 0);
  const filter = new AreaFilter(large, small);
  const whole = filter.filtered(words, { x: 0, y: 0, ...small });
  for (let y = 0; y < small.height; y += 1) {
    for (let x = 0; x < small.width; x += 1) {
      const seen = channels(whole[y * small.width + x]!);
      expect(seen[3]).toBe(255);
      mean(words, large, small, x, y).forEach((value, channel) => expect(Math.abs(seen[channel]! - value)).toBeLessThan(4));
    }
  }
});

test('one colour stays that colour, black and white too', () => {
  for (const colour of [0xff000000, 0xffffffff, 0xff12ab7f]) {
    const words = new Uint32Array(101 * 77).fill(colour);
    const filter = new AreaFilter({ width: 101, height: 77 }, { width: 23, height: 19 });
    const seen = filter.filtered(words, { x: 0, y: 0, width: 23, height: 19 });
    expect(new Set(seen)).toEqual(new Set([colour]));
  }
});

test('made in pieces it is what it is when made at once', () => {
  const random = new Random(5);
  const [large, small] = [{ width: 120, height: 90 }, { width: 37, height: 29 }];
  const filter = new AreaFilter(large, small);
  const words = new Uint32Array(large.width * large.height).fill(0xff000000);
  const shown = filter.filtered(words, { x: 0, y: 0, ...small });
  for (let round = 0; round < 200; round += 1) {
    const [x, y] = [random.below(large.width), random.below(large.height)];
    const [width, height] = [1 + random.below(large.width - x), 1 + random.below(Math.min(large.height - y, 9))];
    const colour = (0xff000000 | random.below(0x1000000)) >>> 0;
    for (let row = y; row < y + height; row += 1) words.fill(colour, row * large.width + x, row * large.width + x + width);
    const to = filter.covered({ x, y, width, height });
    const part = filter.filtered(words, to);
    for (let row = 0; row < to.height; row += 1) {
      shown.set(part.subarray(row * to.width, (row + 1) * to.width), (to.y + row) * small.width + to.x);
    }
    if (round % 20 === 0) expect(shown).toEqual(filter.filtered(words, { x: 0, y: 0, ...small }));
  }
});
