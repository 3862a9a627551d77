// The screen: exact to the pixel, and unharmed by whatever an update holds.
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { makeMemoryReady, MAX_PIXELS, Picture, type Rectangle, ScreenError } from '../src/screen/picture';
import { cursorPixels, mergeRectangles, ScreenView, type Surface } from '../src/screen/view';
import { Zstd, ZstdError } from '../src/screen/zstd';
import { ZSTD_WASM } from '../src/screen/zstd_wasm';
import { fromBase64 } from '../src/wire/encoding';
import { type ScreenUpdate } from '../src/wire/screen';
import { encodeOperations, type Operation, PlainPicture, randomOperations } from './operations';
import { Random } from './random';
import { readVectors } from './vectors';
import { zstdOf } from './zstd_frames';

let zstd: Zstd;
beforeAll(async () => {
  zstd = await Zstd.create();
});

/** A surface that keeps what a canvas would show: only what was drawn. */
class Shown implements Surface {
  shown = new Uint8Array(0);
  width = 0;
  draws = 0;
  pixels = new Uint8ClampedArray(0);

  resize(pixels: Uint8ClampedArray<ArrayBuffer>, width: number, height: number): void {
    this.pixels = pixels;
    this.width = width;
    this.shown = new Uint8Array(width * height * 4);
  }

  draw(dirty: readonly Rectangle[]): void {
    this.draws += 1;
    for (const { x, y, width, height } of dirty) {
      for (let row = y; row < y + height; row += 1) {
        const [from, to] = [(row * this.width + x) * 4, (row * this.width + x + width) * 4];
        this.shown.set(this.pixels.subarray(from, to), from);
      }
    }
  }

  cover(): void {
    expect.fail('there is no video here');
  }

  clear(): void {
    this.shown.fill(0);
  }
}

function viewer(): { view: ScreenView; surface: Shown; said: string[] } {
  const [surface, said] = [new Shown(), [] as string[]];
  const view = new ScreenView(zstd, surface, {
    seen: (number) => said.push(`seen ${number}`),
    resync: () => said.push('resync'),
    size: (width, height) => said.push(`size ${width} ${height}`),
    corrupt: (error) => said.push(`corrupt ${error.fault}`),
    hopeless: (error) => said.push(`hopeless ${error.fault}`),
  });
  view.opened();
  return { view, surface, said };
}

function update(number: number, base: number, raw: Uint8Array, more = false, width = 33, height = 21): ScreenUpdate {
  return { number, base, width, height, more, rawLength: raw.length, operationsZstd: zstdOf(raw) };
}

const monitor = (id: number, x: number, y: number, width: number, height: number) => ({ id, x, y, width, height });

test('memory for the first picture is made beforehand, and made anew when it has another size', () => {
  const { view, surface, said } = viewer();
  view.expect([monitor(0, 0, 0, 33, 21), monitor(1, 33, -4, 10, 30)], 0);
  expect(said).toEqual(['size 33 21']);
  view.apply(update(1, 0, encodeOperations([solid(0, 0, 33, 21)])));
  expect(said).toEqual(['size 33 21', 'seen 1']);
  expect(surface.shown.subarray(0, 4)).toEqual(Uint8Array.of(1, 2, 3, 255));
  // A picture is shown: whatever comes next speaks for itself.
  view.expect([monitor(0, 0, 0, 33, 21), monitor(1, 33, -4, 10, 30)], 255);
  expect(said.length).toBe(2);
  view.closed();
  view.expect([monitor(0, 0, 0, 33, 21), monitor(1, 33, -4, 10, 30)], 255);
  expect(said.at(-1)).toBe('size 43 30');
  view.apply(update(1, 0, encodeOperations([solid(0, 0, 33, 21)])));
  expect(said.slice(-2)).toEqual(['size 33 21', 'seen 1']);
});

test('a picture seen again has the memory it had, and nothing of what was in it', () => {
  const { view, surface } = viewer();
  view.apply(update(1, 0, encodeOperations([solid(0, 0, 33, 21)])));
  const memory = surface.pixels;
  view.closed();
  expect([...memory.subarray(0, 8)]).toEqual([0, 0, 0, 255, 0, 0, 0, 255]);
  expect(memory.every((byte, index) => byte === (index % 4 === 3 ? 255 : 0))).toBe(true);
  view.expect([monitor(0, 0, 0, 33, 21)], 0);
  expect(surface.pixels).toBe(memory);
  view.closed();
  view.apply(update(1, 0, encodeOperations([solid(0, 0, 1, 1)]), false, 21, 33));
  expect(surface.pixels).not.toBe(memory);
});

test('memory made ready holds exactly one picture, which is as large as any', () => {
  makeMemoryReady();
  const [first, second] = [new Picture(7, 5), new Picture(7, 5)];
  expect(first.pixels.buffer.byteLength).toBe(1920 * 1080 * 4);
  expect(second.pixels.buffer.byteLength).toBe(7 * 5 * 4);
  expect(first.pixels).toEqual(second.pixels);
  const outside = { kind: 'solid' as const, to: { x: 0, y: 4, width: 7, height: 2 }, colour: [1, 2, 3] as [number, number, number] };
  expect(() => first.apply(encodeOperations([outside]), [])).toThrow(ScreenError);
  // One that does not fit leaves it for the next.
  makeMemoryReady();
  expect(new Picture(1921, 1080).pixels.buffer.byteLength).toBe(1921 * 1080 * 4);
  expect(new Picture(1, 1).pixels.buffer.byteLength).toBe(1920 * 1080 * 4);
});

test.each([
  ['no monitor of that id', [monitor(0, 0, 0, 33, 21)], 3],
  ['no monitor at all', [], 255],
  ['more than can be shown', [monitor(0, 0, 0, 65535, 65535)], 0],
])('%s: nothing is made', (_, list, chosen) => {
  const { view, said } = viewer();
  view.expect(list, chosen);
  expect(said).toEqual([]);
});

const solid = (x: number, y: number, width: number, height: number): Operation => {
  return { kind: 'solid', to: { x, y, width, height }, colour: [1, 2, 3] };
};

test.each([1, 2, 3, 4, 5, 6])('random updates are exact to the pixel, seed %i', (seed) => {
  const random = new Random(seed);
  const [width, height] = [1 + random.below(48), 1 + random.below(40)];
  const { view, surface, said } = viewer();
  const plain = new PlainPicture(width, height);
  for (let number = 1; number <= 40; number += 1) {
    const operations = randomOperations(random, width, height, 1 + random.below(5));
    while (encodeOperations(operations).length > 16 + width * height * 8) operations.pop();
    plain.apply(operations);
    const more = number % 5 === 1;
    view.apply(update(number, number - 1, encodeOperations(operations), more, width, height));
    if (!more) {
      expect(said.at(-1)).toBe(`seen ${number}`);
      expect(Buffer.compare(surface.shown, plain.rgba()), `after update ${number}`).toBe(0);
    }
  }
  expect(said.filter((line) => line === 'resync')).toEqual([]);
});

test('pieces of one capture are drawn together', () => {
  const { view, surface, said } = viewer();
  view.apply(update(1, 0, encodeOperations([solid(0, 0, 5, 5)]), true));
  expect([surface.draws, said]).toEqual([0, ['size 33 21']]);
  view.apply(update(2, 1, encodeOperations([solid(9, 9, 5, 5)])));
  expect([surface.draws, said.at(-1)]).toEqual([1, 'seen 2']);
});

test('an update that does not fit asks for everything once and waits for it', () => {
  const { view, said } = viewer();
  const raw = encodeOperations([solid(0, 0, 5, 5)]);
  view.apply(update(1, 0, raw));
  said.length = 0;
  for (const number of [3, 4, 5]) view.apply(update(number, number - 1, raw));
  expect(said).toEqual(['resync']);
  view.apply(update(6, 0, raw));
  view.apply(update(7, 6, raw));
  expect(said).toEqual(['resync', 'seen 6', 'seen 7']);
});

test('after opening anew, updates of the earlier opening are dropped without asking', () => {
  const { view, said } = viewer();
  const raw = encodeOperations([solid(0, 0, 5, 5)]);
  view.apply(update(1, 0, raw));
  view.opened();
  said.length = 0;
  view.apply(update(2, 1, raw));
  view.apply(update(1, 0, raw));
  expect(said).toEqual(['seen 1']);
});

test('base 0 starts from black, also at the same size', () => {
  const { view, surface } = viewer();
  view.apply(update(1, 0, encodeOperations([solid(0, 0, 33, 21)])));
  view.apply(update(2, 0, encodeOperations([solid(0, 0, 1, 1)])));
  const plain = new PlainPicture(33, 21);
  plain.apply([solid(0, 0, 1, 1)]);
  expect(Buffer.compare(surface.shown, plain.rgba())).toBe(0);
});

test('when the right has ended nothing is shown', () => {
  const { view, surface } = viewer();
  view.apply(update(1, 0, encodeOperations([solid(0, 0, 33, 21)])));
  view.closed();
  expect(surface.shown.every((byte) => byte === 0)).toBe(true);
});

test.each<[string, number[], string]>([
  ['unknown operation', [9], 'operation'],
  ['rectangle beyond the right edge', [2, 0, 33, 0, 0, 0, 1, 0, 1, 0, 0, 0], 'rectangle'],
  ['rectangle beyond the bottom', [2, 0, 0, 0, 20, 0, 1, 0, 2, 0, 0, 0], 'rectangle'],
  ['empty rectangle', [2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0], 'rectangle'],
  ['copy from outside', [1, 0, 30, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1], 'rectangle'],
  ['palette of one colour', [3, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0], 'palette'],
  ['palette of 17 colours', [3, 0, 0, 0, 0, 0, 1, 0, 1, 17, ...new Array<number>(60).fill(0)], 'palette'],
  ['index beyond the palette', [3, 0, 0, 0, 0, 0, 1, 0, 1, 3, ...new Array<number>(9).fill(0), 0xc0], 'palette'],
  ['operation cut short', [2, 0, 0, 0, 0, 0, 1], 'truncated'],
  ['colour cut short', [4, 0, 0, 0, 0, 0, 2, 0, 2, ...new Array<number>(11).fill(0)], 'truncated'],
])('%s is refused', (_, raw, fault) => {
  const { view, said } = viewer();
  view.apply(update(1, 0, Uint8Array.from(raw)));
  expect(said).toEqual(['size 33 21', `corrupt ${fault}`, 'resync']);
});

test('lengths that lie are refused', () => {
  const raw = encodeOperations([solid(0, 0, 5, 5)]);
  const lies: [Partial<ScreenUpdate>, string][] = [
    [{ rawLength: raw.length - 1 }, 'compression'],
    [{ rawLength: raw.length + 1 }, 'compression'],
    [{ rawLength: 16 + 33 * 21 * 8 + 1 }, 'length'],
    [{ rawLength: 0xffffffff, width: 65535, height: 1023 }, 'length'],
    [{ width: 0 }, 'size'],
    [{ width: 65535, height: 65535 }, 'size'],
    [{ operationsZstd: new Uint8Array(0) }, 'compression'],
    [{ number: 0 }, 'length'],
  ];
  for (const [lie, fault] of lies) {
    const { view, said } = viewer();
    view.apply({ ...update(1, 0, raw), ...lie });
    expect(said.filter((line) => line.startsWith('corrupt'))).toEqual([`corrupt ${fault}`]);
  }
  expect(() => new Picture(MAX_PIXELS, 2)).toThrow(ScreenError);
});

test('corrupt updates again and again end in giving up, not in asking for ever', () => {
  const { view, said } = viewer();
  for (let number = 1; number < 20; number += 1) view.apply(update(number, 0, Uint8Array.of(9)));
  expect(said.filter((line) => line === 'resync')).toHaveLength(3);
  expect(said.at(-1)).toBe('hopeless operation');
});

test('random changes of operations throw only ScreenError and write nothing outside', () => {
  const [width, height] = [31, 17];
  let refused = 0;
  for (let seed = 1; seed <= 3000; seed += 1) {
    const random = new Random(seed);
    const raw = encodeOperations(randomOperations(random, width, height, 1 + random.below(3)));
    for (let change = 0; change <= random.below(6); change += 1) raw[random.below(Math.min(raw.length, 40))] = random.below(256);
    const cut = raw.subarray(0, random.chance(80) ? raw.length : random.below(raw.length));
    const picture = new Picture(width, height);
    const dirty: Rectangle[] = [];
    try {
      picture.apply(cut, dirty);
    } catch (error) {
      if (!(error instanceof ScreenError)) throw error;
      refused += 1;
      continue;
    }
    // Whatever is outside the rectangles said to be dirty is still black, and everything is opaque.
    for (let at = 0; at < width * height; at += 1) {
      const [x, y] = [at % width, Math.floor(at / width)];
      const inside = dirty.some((r) => x >= r.x && x < r.x + r.width && y >= r.y && y < r.y + r.height);
      if (picture.pixels[at * 4 + 3] !== 255) expect.fail(`pixel ${at} is not opaque, seed ${seed}`);
      if (!inside && (picture.pixels[at * 4] || picture.pixels[at * 4 + 1] || picture.pixels[at * 4 + 2])) {
        expect.fail(`pixel ${at} was written outside, seed ${seed}`);
      }
    }
  }
  expect(refused).toBeGreaterThan(300);
});

test('random changes of compressed bytes throw only ZstdError, and the decoder goes on working', () => {
  const { compressed, rawLength } = REAL;
  let refused = 0;
  for (let seed = 1; seed <= 3000; seed += 1) {
    const random = new Random(seed);
    const changed = compressed.slice();
    for (let change = 0; change <= random.below(5); change += 1) changed[random.below(changed.length)] = random.below(256);
    try {
      expect(zstd.decode(changed, rawLength)).toHaveLength(rawLength);
    } catch (error) {
      if (!(error instanceof ZstdError)) throw error;
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(100);
  expect(zstd.decode(compressed, rawLength)[0]).toBe(2);
});

/** What zstd -1 makes of a solid rectangle of 64 × 32 and a colour rectangle of 40 × 20 at 1, 2. */
const REAL = {
  rawLength: 2421,
  compressed: fromBase64(
    'KLUv/QBIhQkAFBICAAAAAABAACAKFB4EAAEAAgAoABQABw4VHCMqMTg/Rk1UW2JpcHd+hYyTmqGor7a9xMvS2eDn7vX8AwoRGB8mLTQ7QklQV15lbHN6gYiP' +
      'lp2kq7K5wMfO1dzj6vH4/wYNFBsiKTA3PkVMU1phaG92fYSLkpmgp661vMPK0djf5u30+wIJEBceJSwzOkFIT1ZdZGtyeYCHjpWco6qxuL/GzdTb4unw9/4F' +
      'DBMaISgvNj1ES1JZYGdudXyDipGYn6attLvCydDX3uXs8/oBCA8WHSQrMjlAR05VXGNqcXh/ho2Um6KpsLe+xczT2uHo7/b9BAsSGSAnLjU8Q0pRWF9mbXR7' +
      'gomQl56lrLO6wcjP1t3k6/L5AAMGCQEEBwoCBQgFAwQtHHFCosur6DCwpg==',
  ),
};

test('what a real compressor makes is decoded', () => {
  const { view, surface, said } = viewer();
  const { rawLength, compressed } = REAL;
  view.apply({ number: 1, base: 0, width: 64, height: 32, more: false, rawLength, operationsZstd: compressed });
  expect(said).toEqual(['size 64 32', 'seen 1']);
  expect([...surface.shown.subarray(0, 4)]).toEqual([10, 20, 30, 255]);
  // First pixel of the colour rectangle: red 0 + green 0, blue 5 + green 0; second: red 7, green 3 → 10, 3, 13.
  const first = (2 * 64 + 1) * 4;
  expect([...surface.shown.subarray(first, first + 8)]).toEqual([0, 0, 5, 255, 10, 3, 13, 255]);
});

test('a large result and small ones after it', () => {
  const large = new Uint8Array(40 * 1024 * 1024).fill(7);
  expect(zstd.decode(zstdOf(large), large.length).at(-1)).toBe(7);
  expect([...zstd.decode(zstdOf(Uint8Array.of(1, 2)), 2)]).toEqual([1, 2]);
  expect(() => zstd.decode(Uint8Array.of(1), 2 ** 32 - 1)).toThrow(ZstdError);
});

test("a pointer's picture", () => {
  const shape = { hotX: 0, hotY: 0, width: 2, height: 1, rgbaZstd: zstdOf(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)) };
  expect([...cursorPixels(zstd, shape)!]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(cursorPixels(zstd, { ...shape, width: 0 })).toBeUndefined();
  expect(() => cursorPixels(zstd, { ...shape, height: 2 })).toThrow(ScreenError);
});

test('merged rectangles cover the same', () => {
  const tiles = Array.from({ length: 10 }, (_, at) => ({ x: at * 64, y: 0, width: 64, height: 64 }));
  expect(mergeRectangles(tiles)).toEqual([{ x: 0, y: 0, width: 640, height: 64 }]);
  const far = [tiles[0]!, { x: 500, y: 500, width: 10, height: 10 }];
  expect(mergeRectangles(far)).toEqual(far);
  const many = Array.from({ length: 100 }, (_, at) => ({ x: (at * 37) % 100, y: at * 5, width: 1, height: 1 }));
  expect(mergeRectangles(many)).toHaveLength(1);
});

test('the decoder in the source is the one of the package', () => {
  const source = readFileSync(new URL(import.meta.resolve('zstddec')), 'utf8');
  expect(source.includes(`"${ZSTD_WASM}"`), 'run node scripts/zstd_wasm.mjs').toBe(true);
});

test('the golden vectors hold, coarse rectangles among them', () => {
  interface Vector {
    number: number;
    base: number;
    raw_length: number;
    operations_zstd: string;
    pixels: string;
  }
  const { view, surface, said } = viewer();
  const bytes = (hex: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(hex, 'hex'));
  const vectors = readVectors<Vector[]>('screen.json');
  expect(vectors.length).toBeGreaterThan(6);
  for (const { number, base, raw_length: rawLength, operations_zstd: zstdBytes, pixels } of vectors) {
    view.apply({ number, base, width: 70, height: 34, more: false, rawLength, operationsZstd: bytes(zstdBytes) });
    expect(said.at(-1)).toBe(`seen ${number}`);
    const rgb = surface.shown.filter((_, at) => at % 4 !== 3);
    expect(Buffer.from(rgb).toString('hex') === pixels, `pixels after update ${number}`).toBe(true);
  }
});
