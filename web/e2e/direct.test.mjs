// Direct paths with the browser's own WebRTC: both ends of a session in one page, over a gateway in memory.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { rolldown } from 'rolldown';
import { Chromium } from './stack/browser.mjs';

let chromium;
let page;

before(async () => {
  const input = join(import.meta.dirname, '../packages/session/test/in_page.ts');
  const bundle = await rolldown({ input, platform: 'browser' });
  const { output } = await bundle.generate({ format: 'iife', name: 'page' });
  // Without it both ends would only know each other's addresses by multicast names.
  chromium = await Chromium.start(['--disable-features=WebRtcHideLocalIpsWithMdns', '--allow-loopback-in-peer-connection']);
  page = await chromium.person();
  await page.route('http://localhost/**', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>two ends</title>' }));
  await page.goto('http://localhost/');
  await page.addScriptTag({ content: output[0].code });
});

after(() => chromium?.stop());

/** Both ends anew; `kind`: the path they are to be on. */
async function two(delay, policy) {
  await page.evaluate(([delay, policy]) => {
    window.two?.close();
    window.two = new window.Two(delay, policy);
  }, [delay, policy]);
}

const onPath = (kind) => page.waitForFunction((kind) => window.two.console.path.kind === kind, kind, { polling: 20 });

test('a session moves to a direct path, and the loss of the gateway is not noticed on it', async () => {
  await two(20);
  await onPath('direct_udp');
  const report = await page.evaluate(() => window.two.console.path);
  assert.equal(report.problem, undefined);
  assert.ok(report.direct.here.udp > 0 && report.direct.there.udp > 0, JSON.stringify(report));
  assert.ok(report.roundTrip < 40, `${report.roundTrip} ms`);
  const found = await page.evaluate(async () => {
    const { gateway } = window.two;
    gateway.cut('console');
    gateway.cut('applet');
    for (let line = 0; line < 200; line += 1) {
      window.two.say('console', `c${line}`);
      window.two.say('applet', `a${line}`);
    }
    while (window.two.got.applet.length < 200 || window.two.got.console.length < 200) await new Promise((r) => setTimeout(r, 5));
    return { ...window.two.got, events: window.two.events };
  });
  assert.deepEqual(found.applet, Array.from({ length: 200 }, (_, at) => `c${at}`));
  assert.deepEqual(found.console, Array.from({ length: 200 }, (_, at) => `a${at}`));
  assert.deepEqual(found.events, ['secured']);
});

test('pictures go directly, as fast as the path takes them, once and in order', async () => {
  await two(20);
  await onPath('direct_udp');
  const ms = await page.evaluate(() => window.two.show(160, 250_000));
  const found = await page.evaluate(() => ({ inOrder: window.two.inOrder, bytes: window.two.screenBytes, path: window.two.console.path.kind, events: window.two.events }));
  assert.deepEqual({ inOrder: found.inOrder, bytes: found.bytes, events: found.events }, { inOrder: true, bytes: 40_000_000, events: ['secured'] });
  console.log(`40 MB of pictures in ${Math.round(ms)} ms, ${(40_000 / ms).toFixed(1)} MB/s, at the end ${found.path}`);
});

test('when the peer connection dies the relay goes on, and another direct path is found', async () => {
  await two(20);
  await onPath('direct_udp');
  await page.evaluate(() => {
    for (const peer of window.two.peers) peer.close();
    for (let line = 0; line < 100; line += 1) window.two.say('applet', `${line}`);
  });
  await page.waitForFunction(() => window.two.got.console.length === 100);
  await onPath('relay').catch(() => undefined);
  await page.waitForFunction(() => window.two.console.path.kind === 'direct_udp' && window.two.console.path.direct.attempts >= 2, undefined, { polling: 20 });
  assert.deepEqual(await page.evaluate(() => window.two.events), ['secured']);
});

test('where no pair of addresses works the relay carries everything, and it is said why', async () => {
  await two(5, { iceTransportPolicy: 'relay' });
  await page.waitForFunction(() => window.two.events.includes('secured'));
  await page.evaluate(() => {
    window.two.servers({ seconds: 60, user: 'u', password: 'p', servers: ['stun:127.0.0.1:9', 'turn:127.0.0.1:9?transport=udp', 'nonsense'] });
    window.two.say('console', 'by the relay');
  });
  await page.waitForFunction(() => window.two.got.applet.includes('by the relay'));
  await page.waitForFunction(() => window.two.console.path.problem === 'no_candidates', undefined, { timeout: 45_000 });
  assert.deepEqual(await page.evaluate(() => [window.two.console.path.kind, window.two.events]), ['relay', ['secured']]);
  assert.deepEqual(page.complaints, []);
});
