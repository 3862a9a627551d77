// Video over the picture: in step with the tiles whatever the decoder does, and unharmed by whatever an update holds.
import { beforeAll, expect, test } from 'vitest';
import { type FilmDecoder, type OpenFilm, type Still } from '../src/screen/films';
import { type Rectangle } from '../src/screen/picture';
import { ScreenView, type Surface } from '../src/screen/view';
import { Zstd } from '../src/screen/zstd';
import { type ScreenUpdate } from '../src/wire/screen';
import { encodeOperations, type Operation, PlainPicture, randomOperations, type Rgb } from './operations';
import { Random } from './random';
import { zstdOf } from './zstd_frames';

const [WIDTH, HEIGHT] = [40, 30];

let zstd: Zstd;
beforeAll(async () => {
  zstd = await Zstd.create();
});

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Frames that are alive: each must be closed in the end. */
const alive = new Set<object>();

/** A frame is one colour; a delta frame adds to the frame before, so that a missed or reordered one shows. */
class FakeDecoder implements FilmDecoder {
  private colour = 0;
  private closed = false;

  constructor(private readonly random: Random | undefined) {}

  async decode(bytes: Uint8Array<ArrayBuffer>, key: boolean): Promise<Still> {
    if (this.closed) throw new Error('closed');
    if (bytes[0] === 0xff) throw new Error('corrupt');
    this.colour = ((key ? 0 : this.colour) + bytes[0]!) & 255;
    const { colour } = this;
    for (let wait = this.random?.below(3) ?? 0; wait > 0; wait -= 1) await turn();
    if (this.closed) throw new Error('closed');
    const still = { colour, close: () => alive.delete(still) };
    alive.add(still);
    return still as unknown as Still;
  }

  close(): void {
    this.closed = true;
  }
}

/** What a canvas would show. */
class Shown implements Surface {
  shown = new Uint8Array(WIDTH * HEIGHT * 4);
  private pixels = new Uint8ClampedArray(0);

  resize(pixels: Uint8ClampedArray<ArrayBuffer>): void {
    this.pixels = pixels;
  }

  draw(dirty: readonly Rectangle[]): void {
    for (const { x, y, width, height } of dirty) {
      for (let row = y; row < y + height; row += 1) {
        const [from, to] = [(row * WIDTH + x) * 4, (row * WIDTH + x + width) * 4];
        this.shown.set(this.pixels.subarray(from, to), from);
      }
    }
  }

  cover(still: Still, { x, y, width, height }: Rectangle): void {
    const { colour } = still as unknown as { colour: number };
    expect(alive.has(still), 'a frame that is closed already is drawn').toBe(true);
    for (let row = y; row < y + height; row += 1) {
      for (let column = x; column < x + width; column += 1) {
        this.shown.set([colour, colour, colour, 255], (row * WIDTH + column) * 4);
      }
    }
  }

  clear(): void {
    this.shown.fill(0);
  }
}

function viewer(open: OpenFilm | undefined): { view: ScreenView; surface: Shown; said: string[] } {
  const [surface, said] = [new Shown(), [] as string[]];
  const events = {
    seen: (number: number) => said.push(`seen ${number}`),
    resync: () => said.push('resync'),
    size: () => undefined,
    corrupt: (error: { fault: string }) => said.push(`corrupt ${error.fault}`),
    hopeless: (error: { fault: string }) => said.push(`hopeless ${error.fault}`),
  };
  const view = new ScreenView(zstd, surface, events, open);
  view.opened();
  return { view, surface, said };
}

function update(number: number, base: number, raw: Uint8Array, more = false): ScreenUpdate {
  const size = { width: WIDTH, height: HEIGHT };
  return { number, base, ...size, more, rawLength: raw.length, operationsZstd: zstdOf(raw) };
}

const u16 = (...values: number[]): number[] => values.flatMap((value) => [value >> 8, value & 255]);
const u32 = (value: number): number[] => u16(value >>> 16, value & 0xffff);

interface Frame {
  stream: number;
  key: boolean;
  to: Rectangle;
  number: number;
  bytes: number[];
}

function frame({ stream, key, to, number, bytes }: Frame): number[] {
  const place = u16(to.x, to.y, to.width, to.height);
  return [5, stream, key ? 1 : 0, ...place, ...u32(number), ...u32(bytes.length), ...bytes];
}

const film = (stream: number): Rectangle => ({ x: 4 + stream * 9, y: 3 + stream * 5, width: 8, height: 6 });
const black: Operation = { kind: 'solid', to: { x: 0, y: 0, width: WIDTH, height: HEIGHT }, colour: [0, 0, 0] };
const solid = (colour: Rgb): Operation => ({ kind: 'solid', to: { x: 0, y: 0, width: 20, height: 20 }, colour });
const bytesOf = (operations: Operation[], ...films: number[][]): Uint8Array =>
  Uint8Array.from([...encodeOperations(operations), ...films.flat()]);

test.each([1, 2, 3, 4, 5, 6, 7, 8])('a viewer fed by any sequence shows exactly what was sent, in order, seed %i', async (seed) => {
  const random = new Random(seed);
  const { view, surface, said } = viewer(() => new FakeDecoder(random));
  const plain = new PlainPicture(WIDTH, HEIGHT);
  const live = new Map<number, { number: number; colour: number }>();
  let [number, base] = [0, 0];
  for (let capture = 0; capture < 120; capture += 1) {
    const fresh = base === 0 || random.chance(4);
    if (fresh) live.clear();
    const pieces = 1 + random.below(2);
    for (let piece = 0; piece < pieces; piece += 1) {
      const operations = fresh && piece === 0 ? [black] : randomOperations(random, WIDTH, HEIGHT, random.below(3));
      const films: number[][] = [];
      for (let stream = 0; stream < 3; stream += 1) {
        const known = live.get(stream);
        if (known !== undefined && random.chance(10)) {
          films.push([6, stream]);
          live.delete(stream);
        } else if (random.chance(60)) {
          const key = known === undefined || random.chance(10);
          const value = random.below(255);
          const next = key ? 1 : known.number + 1;
          live.set(stream, { number: next, colour: ((key ? 0 : known.colour) + value) & 255 });
          films.push(frame({ stream, key, to: film(stream), number: next, bytes: [value] }));
        }
      }
      plain.apply(operations);
      number += 1;
      view.apply(update(number, fresh && piece === 0 ? 0 : base, bytesOf(operations, ...films), piece + 1 < pieces));
      base = number;
    }
    if (random.chance(30)) continue;
    for (let wait = 0; said.at(-1) !== `seen ${number}` && wait < 200; wait += 1) await turn();
    expect(said.at(-1)).toBe(`seen ${number}`);
    const expected = new PlainPicture(WIDTH, HEIGHT);
    expected.pixels = [...plain.pixels];
    for (const [stream, { colour }] of [...live].sort(([a], [b]) => a - b)) {
      expected.apply([{ kind: 'solid', to: film(stream), colour: [colour, colour, colour] }]);
    }
    expect(Buffer.compare(surface.shown, expected.rgba()), `capture ${capture}`).toBe(0);
  }
  const seen = said.filter((line) => line.startsWith('seen')).map((line) => Number(line.slice(5)));
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(said.filter((line) => !line.startsWith('seen'))).toEqual([]);
  view.closed();
  await turn();
  expect(alive.size, 'frames that nobody closed').toBe(0);
});

test('tiles that come while a frame is decoded wait for it', async () => {
  let finish: (() => void) | undefined;
  const decode = (): Promise<Still> =>
    new Promise((resolve) => {
      finish = () => resolve({ colour: 9, close: () => undefined } as unknown as Still);
    });
  const { view, said } = viewer(() => ({ decode, close: () => undefined }));
  const first = frame({ stream: 0, key: true, to: film(0), number: 1, bytes: [1] });
  view.apply(update(1, 0, bytesOf([black])));
  view.apply(update(2, 1, bytesOf([], first)));
  view.apply(update(3, 2, bytesOf([solid([1, 2, 3])])));
  await turn();
  expect(said).toEqual(['seen 1']);
  // The right has ended: what was on its way is not shown any more.
  view.closed();
  finish?.();
  await turn();
  expect(said).toEqual(['seen 1']);
});

const begun = frame({ stream: 1, key: true, to: film(1), number: 7, bytes: [1] });
const going = { stream: 1, key: false, to: film(1), number: 8, bytes: [1] };

test.each<[string, number[], string]>([
  ['a frame that follows nothing', frame({ ...going, stream: 2 }), 'video'],
  ['a frame left out', frame({ ...going, number: 9 }), 'video'],
  ['a frame twice', frame({ ...going, number: 7 }), 'video'],
  ['another place', frame({ ...going, to: film(2) }), 'video'],
  ['a fifth stream', frame({ ...going, stream: 4, key: true }), 'video'],
  ['the end of nothing', [6, 3], 'video'],
  ['a frame of nothing', frame({ ...going, bytes: [] }), 'video'],
  ['a flag that is neither', [5, 1, 2, ...frame(going).slice(3)], 'video'],
  ['a frame cut short', frame(going).slice(0, -1), 'truncated'],
  ['an end cut short', [6], 'truncated'],
  ['a place outside', frame({ ...going, key: true, to: { x: 39, y: 0, width: 2, height: 1 } }), 'rectangle'],
  ['what no decoder takes', frame({ ...going, bytes: [0xff] }), 'video'],
])('%s is refused, and everything asked for anew', async (_, raw, fault) => {
  const { view, said, surface } = viewer(() => new FakeDecoder(undefined));
  view.apply(update(1, 0, bytesOf([black], begun)));
  await turn();
  view.apply(update(2, 1, Uint8Array.from(raw)));
  await turn();
  expect(said).toEqual(['seen 1', `corrupt ${fault}`, 'resync']);
  view.apply(update(3, 2, bytesOf([black])));
  view.apply(update(4, 0, bytesOf([solid([1, 2, 3])])));
  await turn();
  expect(said.slice(3)).toEqual(['seen 4']);
  const plain = new PlainPicture(WIDTH, HEIGHT);
  plain.apply([solid([1, 2, 3])]);
  expect(Buffer.compare(surface.shown, plain.rgba())).toBe(0);
});

test('video that was not asked for is refused', () => {
  const { view, said } = viewer(undefined);
  view.apply(update(1, 0, bytesOf([black], begun)));
  expect(said).toEqual(['corrupt video', 'resync']);
});

test('a decoder that cannot be opened is no crash', () => {
  const { view, said } = viewer(() => {
    throw new Error('no decoder');
  });
  view.apply(update(1, 0, bytesOf([black], begun)));
  expect(said).toEqual(['corrupt video', 'resync']);
});

test('updates without end while a frame is decoded are given up', async () => {
  const { view, said } = viewer(() => ({ decode: () => new Promise<Still>(() => undefined), close: () => undefined }));
  view.apply(update(1, 0, bytesOf([black], begun)));
  for (let number = 2; number < 1200; number += 1) view.apply(update(number, number - 1, bytesOf([solid([1, 1, 1])])));
  await turn();
  expect(said).toEqual(['corrupt length', 'resync']);
});

test('mutated updates with video end in a clear fault or a picture, never in a crash', async () => {
  const faults = new Map<string, number>();
  for (let seed = 1; seed <= 1500; seed += 1) {
    const random = new Random(seed);
    const { view, said } = viewer(() => new FakeDecoder(random.chance(50) ? random : undefined));
    view.apply(update(1, 0, bytesOf([black], begun)));
    const raw = bytesOf(randomOperations(random, WIDTH, HEIGHT, random.below(2)), frame(going), [6, 1]);
    for (let change = 0; change <= random.below(4); change += 1) {
      raw[raw.length - 1 - random.below(Math.min(raw.length, 24))] = random.chance(50) ? random.below(8) : random.below(256);
    }
    view.apply(update(2, 1, raw.subarray(0, random.chance(80) ? raw.length : random.below(raw.length)), false));
    view.apply(update(3, 0, bytesOf([black])));
    for (let wait = 0; said.at(-1) !== 'seen 3' && wait < 50; wait += 1) await turn();
    expect(said.at(-1), `seed ${seed}`).toBe('seen 3');
    const fault = said.find((line) => line.startsWith('corrupt')) ?? 'none';
    faults.set(fault, (faults.get(fault) ?? 0) + 1);
    view.closed();
  }
  await turn();
  expect(alive.size).toBe(0);
  for (const fault of ['none', 'corrupt video', 'corrupt truncated', 'corrupt rectangle', 'corrupt operation']) {
    expect(faults.get(fault) ?? 0, `${fault} of ${JSON.stringify([...faults])}`).toBeGreaterThan(10);
  }
});
