// Over which path a session goes, between the real console and the real applet: it moves to a direct one by itself, says
// so, and does not notice that the server stands still.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { active, finish, stack } from './stack.mjs';
import { SCREENSHOTS, look } from './stack/browser.mjs';
import { digest } from './stack/desktop.mjs';
import { sleep, until } from './stack/processes.mjs';

test('a session moves to a direct path, and goes on there while the server hangs', async () => {
  const { desktop, server } = await stack();
  const met = await active();
  const { technician, applet } = met;
  const { page } = technician;
  await page.waitForFunction(() => document.querySelector('[data-testid="path"]')?.textContent === 'direct UDP', undefined, { polling: 50 });
  await technician.at('path-open').click();
  await technician.at('path-report').waitFor();
  assert.match(await technician.at('path-report').innerText(), /connected directly, by UDP/);
  assert.match(await technician.at('path-round-trip').innerText(), /^\d+ ms$/);
  assert.equal(await technician.at('path-works').getAttribute('data-udp'), 'yes');
  await look(page, 'console-path-direct');
  await page.keyboard.press('Escape');
  await technician.at('path-report').waitFor({ state: 'hidden' });

  server.program.signal('SIGSTOP');
  try {
    await desktop.activate(await applet.window());
    await desktop.type('can you still hear me');
    await desktop.key('Return');
    await technician.waitForChat('can you still hear me', 5000);
    assert.equal(await technician.at('link-state').getAttribute('data-state'), 'connected');
  } finally {
    server.program.signal('SIGCONT');
  }
  await finish(met);
});

for (const language of ['en_GB.UTF-8', 'de_DE.UTF-8']) {
  test(`the applet shows the way in use, and what works, when it is asked (${language})`, async () => {
    const { desktop } = await stack();
    const met = await active({ language });
    await met.applet.logged('technician_connected');
    // The tab before the chat's field.
    await desktop.activate(await met.applet.window());
    await sleep(1500);
    const chat = digest(await desktop.pixels());
    await desktop.key('shift+Tab');
    await desktop.key('space');
    await sleep(1000);
    const report = digest(await desktop.pixels());
    assert.notEqual(report, chat, 'the report is not shown');
    const short = language.slice(0, 2);
    await desktop.picture(join(SCREENSHOTS, `applet-connection-${short}.png`));
    await desktop.key('Tab');
    await desktop.key('space');
    await until('the findings', async () => digest(await desktop.pixels()) !== report);
    await sleep(3000);
    await desktop.picture(join(SCREENSHOTS, `applet-connection-examined-${short}.png`));
    await finish(met);
  });
}
