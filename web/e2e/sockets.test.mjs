// Who keeps the console's sockets: a worker, so that Chromium does not hold messages back until the next frame; the page itself
// where there can be none, and from then on when the worker dies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TESS, controlling, finish, stack } from './stack.mjs';
import { Typewriter } from './stack/desktop.mjs';
import { Technician } from './stack/people.mjs';
import { until } from './stack/processes.mjs';

/** A technician whose page counts what sockets of its own it opens and uses. */
async function counting(without) {
  const { chromium, server } = await stack();
  const page = await chromium.person();
  await page.addInitScript((without) => {
    if (without === 'waitAsync') delete Atomics.waitAsync;
    window.own = { opened: 0, sent: 0 };
    window.WebSocket = new Proxy(window.WebSocket, { construct(target, words) { window.own.opened += 1; return new target(...words); } });
    const { send } = RTCDataChannel.prototype;
    RTCDataChannel.prototype.send = function (data) { window.own.sent += 1; return send.call(this, data); };
  }, without);
  const opened = [];
  page.on('websocket', (socket) => opened.push(socket.url()));
  const technician = new Technician(page, server);
  await technician.signIn(TESS);
  return { technician, opened };
}

/** A controlled desktop, and what types a line into its terminal by the console. */
async function meet(without) {
  const { desktop } = await stack();
  const { technician, opened } = await counting(without);
  const met = await controlling({ technician });
  const typewriter = await Typewriter.open(desktop);
  const type = async (text) => {
    await desktop.activate(typewriter.window);
    const place = await desktop.place(typewriter.window);
    await technician.clickAt(place.x + 200, place.y + 60);
    await technician.page.keyboard.type(text, { delay: 8 });
    await technician.page.keyboard.press('Enter');
    await until(`"${text}" in the terminal`, () => typewriter.text().endsWith(`${text}\n`), 15_000);
  };
  return { ...met, page: technician.page, opened, typewriter, type };
}

const own = (page) => page.evaluate(() => window.own);
const onPath = (page, path) => page.waitForFunction((path) => document.querySelector('[data-testid="path"]')?.dataset.path === path, path, { polling: 50, timeout: 30_000 });

test('the worker keeps them, on the relay and on the direct path, and a dead one is replaced by the page', async () => {
  const met = await meet();
  const { page, technician, opened, type } = met;
  assert.equal(await page.evaluate(() => crossOriginIsolated), true);
  assert.equal(page.workers().length, 1);
  await onPath(page, 'direct_udp');
  await type('by the worker');
  assert.ok(opened.some((url) => url.endsWith('/gateway/v1')));
  assert.deepEqual(await own(page), { opened: 0, sent: 0 });
  assert.deepEqual(page.complaints, []);

  await page.workers()[0].evaluate(() => { setTimeout(() => { throw new Error('the end of this worker'); }); });
  await until('the worker gone', () => page.workers().length === 0);
  await until('a socket of the page', async () => (await own(page)).opened > 0, 20_000);
  await page.waitForFunction(() => document.querySelector('[data-testid="link-state"]')?.dataset.state === 'connected', undefined, { polling: 50, timeout: 20_000 });
  await type('and by the page');
  await onPath(page, 'direct_udp');
  const before = (await own(page)).sent;
  await type('directly again');
  assert.ok((await own(page)).sent > before);
  // What was granted before is granted still: it was a lost connection like any other.
  assert.equal(await technician.page.locator('[data-testid="tool-control"][aria-pressed="true"]').count(), 1);
  await met.typewriter.close();
  await finish(met);
});

test('without what the worker needs the page keeps them itself', async () => {
  const met = await meet('waitAsync');
  const { page, type } = met;
  assert.equal(page.workers().length, 0);
  await type('by the page');
  await onPath(page, 'direct_udp');
  await type('and directly');
  const { opened, sent } = await own(page);
  assert.ok(opened > 0 && sent > 0, JSON.stringify({ opened, sent }));
  assert.deepEqual(page.complaints, []);
  await met.typewriter.close();
  await finish(met);
});
