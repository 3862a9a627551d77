// Desktops of several monitors, seen from the console: chosen, unplugged and resized in mid-session, drawn small and in their real size.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finish, granted, look, stack, tess, viewing } from './stack.mjs';
import { HEIGHT, WIDTH, digest } from './stack/desktop.mjs';
import { until } from './stack/processes.mjs';

const HALF = WIDTH / 2;

test('several monitors', async (t) => {
  const { desktop } = await stack();
  const monitor = (name, left, output) => desktop.tool('xrandr', ['--setmonitor', name, `${HALF}/200x${HEIGHT}/200+${left}+0`, output]);
  await monitor('LEFT', 0, 'screen');
  await monitor('RIGHT', HALF, 'none');
  const met = await viewing({ technician: await tess({ locale: 'de-DE' }) });
  const { technician } = met;
  const { page } = technician;
  const size = () => technician.screen().evaluate((canvas) => [canvas.width, canvas.height]);
  /** Waits until the console shows exactly this part of the desktop. */
  const shows = async (left, width, height = HEIGHT) => {
    await until(`${width} columns from ${left}`, async () => {
      if ((await size()).join() !== `${width},${height}`) return false;
      const [there, here] = [await desktop.pixels(), await technician.pixels()];
      const rows = Array.from({ length: height }, (_, row) => there.subarray((row * WIDTH + left) * 3, (row * WIDTH + left + width) * 3));
      return digest(Buffer.concat(rows)) === digest(here);
    });
  };

  await t.test('each can be chosen, and all of them together', async () => {
    const options = await technician.at('monitor').locator('option').allInnerTexts();
    assert.equal(options.length, 3, options.join(', '));
    await technician.at('monitor').selectOption({ label: options.find((text) => text.includes('RIGHT')) });
    await shows(HALF, HALF);
    await look(page, 'console-monitor-right');
    await technician.at('monitor').selectOption('255');
    await shows(0, WIDTH);
  });

  await t.test('each keeps the scale that was chosen for it, and actual size is pixel for pixel, also on a dense screen', async () => {
    const right = (await technician.at('monitor').locator('option').allInnerTexts()).find((text) => text.includes('RIGHT'));
    const scale = async () => ((await technician.at('scale-actual').getAttribute('aria-pressed')) === 'true' ? 'actual' : 'fit');
    const drawn = () => technician.screen().evaluate((canvas) => canvas.getBoundingClientRect().width * devicePixelRatio);
    await technician.at('monitor').selectOption({ label: right });
    await shows(HALF, HALF);
    await technician.at('scale-actual').click();
    await until('the actual size', async () => (await drawn()) === HALF);
    await technician.at('monitor').selectOption('255');
    await shows(0, WIDTH);
    assert.equal(await scale(), 'fit');
    assert.ok((await drawn()) < WIDTH);
    await technician.at('monitor').selectOption({ label: right });
    await shows(HALF, HALF);
    assert.equal(await scale(), 'actual');
    assert.equal(await drawn(), HALF);
    const screen = await page.context().newCDPSession(page);
    const { width, height } = page.viewportSize();
    await screen.send('Emulation.setDeviceMetricsOverride', { width: width - 100, height, deviceScaleFactor: 2, mobile: false });
    await until('the dense screen', () => page.evaluate(() => devicePixelRatio === 2));
    await until('the actual size on it', async () => (await drawn()) === HALF);
    await screen.send('Emulation.clearDeviceMetricsOverride');
    await page.setViewportSize({ width, height });
    await until('the usual screen', () => page.evaluate(() => devicePixelRatio === 1));
    await technician.at('scale-fit').click();
    await technician.at('monitor').selectOption('255');
    await shows(0, WIDTH);
  });

  await t.test('one that is unplugged gives way to another, and is back when it is plugged in', async () => {
    const label = (await technician.at('monitor').locator('option').allInnerTexts()).find((text) => text.includes('RIGHT'));
    await technician.at('monitor').selectOption({ label });
    await shows(HALF, HALF);
    await desktop.tool('xrandr', ['--delmonitor', 'RIGHT']);
    await shows(0, HALF);
    await monitor('RIGHT', HALF, 'none');
    await shows(HALF, HALF);
    await technician.at('monitor').selectOption('255');
    await shows(0, WIDTH);
  });

  await t.test('in its real size the picture is dragged', async () => {
    await page.setViewportSize({ width: 1000, height: 700 });
    await technician.at('scale-actual').click();
    const view = technician.at('view');
    const box = await view.boundingBox();
    const middle = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(...middle);
    await page.mouse.down();
    await page.mouse.move(middle[0] - 120, middle[1] - 60, { steps: 6 });
    await page.mouse.up();
    await page.mouse.move(middle[0] - 300, middle[1] - 160);
    assert.deepEqual(await view.evaluate((node) => [node.scrollLeft, node.scrollTop]), [120, 60]);
    await look(page, 'console-actual-size');
    await technician.at('scale-fit').click();
  });

  await t.test('drawn small it keeps its thin lines', async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    const small = technician.at('screen-small');
    await small.waitFor();
    const means = async (canvas) => canvas.evaluate((node) => {
      const { data } = node.getContext('2d').getImageData(0, 0, node.width, node.height);
      const sums = [0, 0, 0];
      for (let at = 0; at < data.length; at += 1) if (at % 4 < 3) sums[at % 4] += data[at];
      return sums.map((sum) => sum / (node.width * node.height));
    });
    const [there, here] = [await means(technician.screen()), await means(small)];
    there.forEach((mean, channel) => assert.ok(Math.abs(mean - here[channel]) < 1.5, `${there} and ${here}`));
    await look(page, 'console-phone-small');
    await page.setViewportSize({ width: 1400, height: 900 });
  });

  await t.test('while controlling, the pointer at an edge of the view moves it', async () => {
    await technician.at('tool-control').click();
    await met.applet.allow();
    await granted(technician, 'tool-control');
    await technician.at('scale-actual').click();
    const view = technician.at('view');
    const box = await view.boundingBox();
    const at = [box.x + box.width - 3, box.y + box.height / 2];
    await page.mouse.move(box.x + box.width / 2, at[1]);
    await page.mouse.move(...at);
    const left = () => view.evaluate((node) => node.scrollLeft);
    const most = await view.evaluate((node) => node.scrollWidth - node.clientWidth);
    await until('the right end', async () => (await left()) === most);
    await page.mouse.move(at[0] - 1, at[1]);
    await until('the pointer at the right end there', async () => Math.abs((await desktop.pointer()).x - (WIDTH - 4)) <= 2);
  });

  await desktop.tool('xrandr', ['--delmonitor', 'RIGHT']);
  await desktop.tool('xrandr', ['--delmonitor', 'LEFT']);
  await finish(met);
});
