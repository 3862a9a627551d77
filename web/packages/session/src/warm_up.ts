// Makes the first picture as quick as the later ones: decoder, its compiled code, keys and canvas are ready beforehand.
import { makeMemoryReady, Picture, type Rectangle } from './screen/picture';
import { browserFilms } from './screen/webcodecs';
import { sharedZstd } from './screen/zstd';
import { Seal } from './seal';
import { startSockets } from './sockets';
import { type Bytes } from './wire/codec';

const SIDE = 256;
const ROUNDS = 12;
/** A zstd frame of the four bytes 0 to 3 in one raw block. */
const TINY_ZSTD = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 4, 0x21, 0, 0, 0, 1, 2, 3);

/** To be called while the technician is still reading the list. Takes some tens of milliseconds; never fails. */
export async function warmUp(): Promise<void> {
  startSockets();
  try {
    const zstd = await sharedZstd();
    for (let round = 0; round < ROUNDS; round += 1) zstd.decode(TINY_ZSTD, 4);
    draw();
    makeMemoryReady();
    await shakeHands();
    await browserFilms();
  } catch (error) {
    // What does not work here fails again, with a clear message, when a session is opened.
    console.warn('warming up has failed', error);
  }
}

function draw(): void {
  const picture = new Picture(SIDE, SIDE);
  const operations = dummyOperations();
  for (let round = 0; round < ROUNDS; round += 1) {
    const dirty: Rectangle[] = [];
    picture.apply(operations, dirty);
  }
  if (typeof document === 'undefined') return;
  const canvas = document.createElement('canvas');
  canvas.width = SIDE;
  canvas.height = SIDE;
  const context = canvas.getContext('2d', { alpha: false, desynchronized: false });
  context?.putImageData(new ImageData(picture.pixels, SIDE, SIDE), 0, 0, 1, 1, SIDE - 1, SIDE - 1);
}

/** One of each operation. */
function dummyOperations(): Uint8Array {
  const u16 = (...values: number[]): number[] => values.flatMap((value) => [value >> 8, value & 255]);
  const colour = new Uint8Array(SIDE * SIDE * 3).fill(1);
  return Uint8Array.from([
    ...[0x02, ...u16(0, 0, SIDE, SIDE), 10, 20, 30],
    ...[0x03, ...u16(0, 0, SIDE, 8), 2, 0, 0, 0, 255, 255, 255, ...new Array<number>(SIDE).fill(0x55)],
    ...[0x03, ...u16(0, 8, SIDE, 8), 5, ...new Array<number>(15).fill(99), ...new Array<number>(SIDE * 4).fill(0x12)],
    ...[0x01, ...u16(0, 0, 1, 1, SIDE - 1, SIDE - 1)],
    ...[0x04, ...u16(0, 0, SIDE, SIDE)],
    ...colour,
  ]);
}

/** One handshake and one packet with ourselves, so that WebCrypto has loaded what it needs. */
async function shakeHands(): Promise<void> {
  const binding = new Uint8Array(32);
  await new Promise<void>((resolve, reject) => {
    const done = (): void => {
      here.close();
      there.close();
      resolve();
    };
    const events = (partner: () => Seal) => ({
      frame: (frame: Bytes) => queueMicrotask(() => partner().receive(frame)),
      packet: done,
      ready: () => undefined,
      broken: reject,
    });
    const here: Seal = new Seal({ role: 'console', binding }, events(() => there));
    const there: Seal = new Seal({ role: 'applet', binding }, events(() => here));
    there.start();
    here.start();
    here.seal(Uint8Array.of(0));
  });
}
