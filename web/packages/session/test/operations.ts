// Writes operations of the screen, and executes them in the plainest way there is, pixel by pixel as the specification
// reads: what the decoder is compared with.
import { type Rectangle } from '../src/screen/picture';
import { type Random } from './random';

export type Rgb = [number, number, number];

export type Operation =
  | { kind: 'copy'; sourceX: number; sourceY: number; to: Rectangle }
  | { kind: 'solid'; to: Rectangle; colour: Rgb }
  | { kind: 'palette'; to: Rectangle; colours: Rgb[]; indices: number[] }
  | { kind: 'colour'; to: Rectangle; pixels: Rgb[] };

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
  switch (random.below(4)) {
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
    default:
      return { kind: 'colour', to, pixels: many(rgb) };
  }
}
