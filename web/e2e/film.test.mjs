// A film on the end user's desktop: it travels as video, in its true colours, and is exact again once it stands still.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finish, stack, viewing } from './stack.mjs';
import { HEIGHT, WIDTH, digest } from './stack/desktop.mjs';
import { play } from './stack/film.mjs';
import { sleep, until } from './stack/processes.mjs';

/** The second fills most of the screen: its video has half its size, stretched in the console. */
const SIZES = [[400, 300], [1500, 900]];
/** How far a film's colour may be off at a point, of 255: a moving picture loses a little. */
const TOLERANCE = 24;

for (const [width, height] of SIZES) test(`a film of ${width}x${height} travels as video and is exact again when it stands still`, async (t) => {
  const { desktop, folder } = await stack();
  const met = await viewing();
  const { technician } = met;
  const { film, window, frames } = await play(desktop, folder, width, height);
  // Counts what is drawn from a video decoder.
  await technician.page.evaluate(() => {
    window.films = 0;
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function (image, ...place) {
      if (image instanceof VideoFrame) window.films += 1;
      return draw.call(this, image, ...place);
    };
  });

  await t.test('while it plays', async () => {
    await until('video', async () => (await technician.page.evaluate(() => window.films)) > 20);
    const { x, y } = await desktop.place(window);
    const points = [[0.1, 0.1], [0.5, 0.5], [0.88, 0.13], [0.15, 0.87], [0.75, 0.73]].map(([across, down]) => [Math.round(across * width), Math.round(down * height)]);
    const at = (pixels, stride, left, top) => [0, 1, 2].map((channel) => pixels[(top * stride + left) * 3 + channel]);
    // A picture taken between two paints shows none of the frames whole; some of several do.
    await until('one of its frames in the console', async () => {
      const here = await technician.pixels();
      const off = frames.map((frame) => Math.max(...points.flatMap(([left, top]) => {
        const [there, seen] = [at(frame, width, left, top), at(here, WIDTH, x + left, y + top)];
        return there.map((value, channel) => Math.abs(value - seen[channel]));
      })));
      return Math.min(...off) <= TOLERANCE;
    });
  });

  await t.test('when it stands still', async () => {
    film.signal('SIGSTOP');
    // A pointer that is there already would be waited for.
    if ((await desktop.pointer()).x !== WIDTH - 3) await desktop.movePointer(WIDTH - 3, HEIGHT - 3);
    await until('the same picture on both sides', async () => {
      return digest(await desktop.pixels()) === digest(await technician.pixels());
    });
    const drawn = await technician.page.evaluate(() => window.films);
    await sleep(500);
    assert.equal(await technician.page.evaluate(() => window.films), drawn, 'nothing is drawn while nothing moves');
  });

  film.signal('SIGCONT');
  await film.stop();
  await finish(met);
});
