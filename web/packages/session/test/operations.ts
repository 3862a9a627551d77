// Writes operations of the screen, and executes them in the plainest way there is, pixel by pixel as the specification
// reads: what the decoder is compared with.
import { type Rectangle } from '../src/screen/picture';
import { type Random } from './random';

export type Rgb = [number, number, number];

export type Operation =
  | { kind: 'copy'; sourceX: number; sourceY: number; to: Rectangle }
  | { kind: 'solid'; to: Rectangle; colour: Rgb }
  | { kind: 'palette'; to: Rectangle; colours: Rgb[]; indices: number[] }
  | { kind: 'colour'; to: Rectangle; pixels: Rgb[] }
  | { kind: 'coarse'; to: Rectangle; shift: number; small: Rgb[] };

export function encodeOperations(operations: readonly Operation[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(operations.flatMap(encode));
}

const u16 = (...values: number[]): number[] => values.flatMap((value) => [value >> 8, value & 255]);
const rectangle = ({ x, y, width, height }: Rectangle): number[] => u16(x, y, width, height);

function encode(operation: Operation): number[] {
  const { to } = operation;
  switch (operation.kind) {
    case 'copy':
      return [1, ...u16(operation.sourceX, operation.sourceY), ...rectangle(to)];
    case 'solid':
      return [2, ...rectangle(to), ...operation.colour];
    case 'palette':
      return [
        ...[3, ...rectangle(to), operation.colours.length, ...operation.colours.flat()],
        ...packed(operation.indices, to.width, operation.colours.length),
      ];
    case 'colour':
      return [4, ...rectangle(to), ...[0, 1, 2].flatMap((plane) => differences(operation.pixels, to.width, plane))];
    case 'coarse': {
      const width = Math.ceil(to.width / 2 ** operation.shift);
      const planes = [0, 1, 2].flatMap((plane) => differences(operation.small, width, plane));
      return [7, operation.shift, ...rectangle(to), ...planes];
    }
  }
}

function packed(indices: readonly number[], width: number, colours: number): number[] {
  const bits = colours === 2 ? 1 : colours <= 4 ? 2 : 4;
  const bytes: number[] = [];
  for (let start = 0; start < indices.length; start += width) {
    const row = indices.slice(start, start + width).map((index) => index.toString(2).padStart(bits, '0'));
    for (const byte of row.join('').match(/.{1,8}/g) ?? []) bytes.push(Number.parseInt(byte.padEnd(8, '0'), 2));
  }
  return bytes;
}

function differences(pixels: readonly Rgb[], width: number, plane: number): number[] {
  const value = (at: number): number => {
    const [r, g, b] = pixels[at]!;
    return [r - g, g, b - g][plane]!;
  };
  return pixels.map((_, at) => {
    const before = at % width > 0 ? value(at - 1) : at >= width ? value(at - width) : 0;
    return (value(at) - before) & 255;
  });
}

/** One pixel of a stretched picture: the mean of four small ones by their distance, in whole numbers, rounded. */
function stretched({ to, shift, small }: Operation & { kind: 'coarse' }, row: number, column: number): Rgb {
  const factor = 2 ** shift;
  const [width, height] = [Math.ceil(to.width / factor), Math.ceil(to.height / factor)];
  const around = (at: number, count: number): [number, number][] => {
    const place = 2 * at + 1 - factor;
    const first = Math.floor(place / (2 * factor));
    const weight = place - first * 2 * factor;
    const inside = (index: number): number => Math.min(Math.max(index, 0), count - 1);
    return [
      [inside(first), 2 * factor - weight],
      [inside(first + 1), weight],
    ];
  };
  const sum: Rgb = [0, 0, 0];
  for (const [y, down] of around(row, height)) {
    for (const [x, across] of around(column, width)) {
      for (const channel of [0, 1, 2] as const) sum[channel] += small[y * width + x]![channel] * down * across;
    }
  }
  return sum.map((value) => Math.floor((value + 2 * factor * factor) / (4 * factor * factor))) as Rgb;
}

/** A picture of which every pixel is a triple. */
export class PlainPicture {
  pixels: Rgb[];

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.pixels = Array.from({ length: width * height }, () => [0, 0, 0]);
  }

  apply(operations: readonly Operation[]): void {
    for (const operation of operations) {
      const before = [...this.pixels];
      const { to } = operation;
      for (let row = 0; row < to.height; row += 1) {
        for (let column = 0; column < to.width; column += 1) {
          const at = row * to.width + column;
          this.pixels[(to.y + row) * this.width + to.x + column] = this.pixelOf(operation, before, row, column, at);
        }
      }
    }
  }

  private pixelOf(operation: Operation, before: Rgb[], row: number, column: number, at: number): Rgb {
    switch (operation.kind) {
      case 'copy':
        return before[(operation.sourceY + row) * this.width + operation.sourceX + column]!;
      case 'solid':
        return operation.colour;
      case 'palette':
        return operation.colours[operation.indices[at]!]!;
      case 'colour':
        return operation.pixels[at]!;
      case 'coarse':
        return stretched(operation, row, column);
    }
  }

  rgba(): Uint8Array {
    return Uint8Array.from(this.pixels.flatMap(([r, g, b]) => [r, g, b, 255]));
  }
}

export function randomOperations(random: Random, width: number, height: number, count: number): Operation[] {
  return Array.from({ length: count }, () => randomOperation(random, width, height));
}

function randomOperation(random: Random, width: number, height: number): Operation {
  const to = { width: 1 + random.below(width), height: 1 + random.below(height), x: 0, y: 0 };
  to.x = random.below(width - to.width + 1);
  to.y = random.below(height - to.height + 1);
  const rgb = (): Rgb => [random.below(256), random.below(256), random.below(256)];
  const many = <T>(make: () => T): T[] => Array.from({ length: to.width * to.height }, make);
  switch (random.below(5)) {
    case 0: {
      const [sourceX, sourceY] = [random.below(width - to.width + 1), random.below(height - to.height + 1)];
      return { kind: 'copy', sourceX, sourceY, to };
    }
    case 1:
      return { kind: 'solid', to, colour: rgb() };
    case 2: {
      const colours = Array.from({ length: 2 + random.below(15) }, rgb);
      return { kind: 'palette', to, colours, indices: many(() => random.below(colours.length)) };
    }
    case 3:
      return { kind: 'colour', to, pixels: many(rgb) };
    default: {
      const shift = 1 + random.below(3);
      const small = Math.ceil(to.width / 2 ** shift) * Math.ceil(to.height / 2 ** shift);
      return { kind: 'coarse', to, shift, small: Array.from({ length: small }, rgb) };
    }
  }
}
