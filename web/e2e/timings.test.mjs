// The figures that the console shows of the picture's stages: they are what really happens, and nothing is told while nothing moves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finish, stack, viewing } from './stack.mjs';
import { look } from './stack/browser.mjs';
import { HEIGHT, WIDTH } from './stack/desktop.mjs';
import { play } from './stack/film.mjs';
import { until } from './stack/processes.mjs';

/** Pictures that the film shows in a second: `animate` waits four hundredths of a second between two. */
const FILM = 25;

test('the timings show what really happens', async (t) => {
  const { desktop, folder } = await stack();
  const met = await viewing();
  const { technician } = met;
  const { page } = technician;
  const figure = (name) => technician.at(`timing-${name}`).getAttribute('data-figure');
  const number = async (name) => Number((await figure(name)) ?? 'NaN');
  const kind = () => technician.at('path').first().getAttribute('data-path');

  await t.test('they are shown when asked for', async () => {
    assert.equal(await technician.at('timings').count(), 0);
    await technician.at('screen-timings').click();
    await technician.at('timing-fps').waitFor();
    assert.equal(await technician.at('screen-timings').getAttribute('aria-pressed'), 'true');
  });

  await t.test('on a still screen', async () => {
    await desktop.movePointer(WIDTH - 3, HEIGHT - 3);
    await until('rest', async () => (await number('fps')) === 0 && (await figure('capture')) === null && (await number('rate')) < 500);
    assert.equal(await technician.at('timing-capture').innerText(), '–');
    assert.equal(await figure('decode'), null);
    assert.match(await technician.at('timing-monitor').innerText(), new RegExp(`${WIDTH} × ${HEIGHT}`));
    assert.equal(await figure('format'), 'exact');
    await until('the path of the session', async () => (await figure('path')) === (await kind()));
    const trip = await number('round-trip');
    assert.ok(trip > 0 && trip < 100, `${trip} ms`);
    await look(page, 'console-timings-still');
  });

  const { film } = await play(desktop, folder, 400, 300);
  await t.test('while a film plays', async () => {
    await until('video', async () => (await figure('format')) === 'av1' && (await number('fps')) > 20);
    // Counts what is drawn from a video decoder, between two changes of the figures.
    await page.evaluate(() => {
      window.films = 0;
      const draw = CanvasRenderingContext2D.prototype.drawImage;
      CanvasRenderingContext2D.prototype.drawImage = function (image, ...place) {
        if (image instanceof VideoFrame) window.films += 1;
        return draw.call(this, image, ...place);
      };
    });
    const [counted, seconds] = await page.evaluate(async () => {
      const start = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 3000));
      return [window.films, (performance.now() - start) / 1000];
    });
    const told = await number('fps');
    assert.ok(told > 20 && told < FILM * 1.4, `${told} pictures a second`);
    assert.ok(Math.abs(told - counted / seconds) < 6, `${told} told, ${counted / seconds} counted`);
    for (const stage of ['capture', 'encode', 'send', 'decode', 'draw']) {
      const ms = await number(stage);
      assert.ok(ms > 0 && ms < 100, `${stage} ${ms} ms`);
    }
    const rate = await number('rate');
    assert.ok(rate > 2000 && rate < 2_000_000, `${rate} bytes a second`);
    assert.equal(await figure('path'), await kind());
    await look(page, 'console-timings-en');
    await page.setViewportSize({ width: 390, height: 844 });
    await look(page, 'console-timings-phone-en');
    await page.setViewportSize({ width: 1600, height: 1000 });
    await page.getByText('DE', { exact: true }).click();
    await technician.at('timings').getByText('Aufnahme').waitFor();
    await look(page, 'console-timings-de');
    await page.setViewportSize({ width: 390, height: 844 });
    await look(page, 'console-timings-phone-de');
    await page.setViewportSize({ width: 1600, height: 1000 });
  });

  await t.test('when it stands still again, and when they are closed', async () => {
    film.signal('SIGSTOP');
    await until('rest', async () => (await number('fps')) === 0 && (await figure('format')) === 'exact');
    await technician.at('screen-timings').click();
    await technician.at('timings').waitFor({ state: 'detached' });
  });

  assert.deepEqual(page.complaints, []);
  film.signal('SIGCONT');
  await film.stop();
  await finish(met);
});
