// The remote pointer as the browser's own: as large as the screen is drawn, but never too small to be seen nor too large to be taken.
import { expect, test } from 'vitest';
import { ownScale } from '../src/screen/cursor';

test.each([
  [24, 1, 1],
  [48, 0.5, 0.5],
  [24, 0.2, 16 / 24],
  [12, 0.2, 1],
  [256, 1, 0.5],
  [256, 0.25, 0.25],
])('a pointer of %d pixels on a screen drawn at %d is drawn at %d', (longest, view, scale) => {
  expect(ownScale(longest, view)).toBeCloseTo(scale);
});
