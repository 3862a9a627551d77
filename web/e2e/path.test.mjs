// Over which path a session goes, between the real console and the real applet: it moves to a direct one by itself, says
// so, and does not notice that the server stands still.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { active, finish, stack } from './stack.mjs';
import { look } from './stack/browser.mjs';

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
