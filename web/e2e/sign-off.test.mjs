// Step 2, its end: a console without activity is signed off, by the server and in the page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { look } from './stack/browser.mjs';
import { leftAlone } from './stack/idle.mjs';

test('a console without activity is signed off, by the server and in the page', async () => {
  const { server, technician, since } = await leftAlone();
  await technician.at('sign-in-id').waitFor({ timeout: 90_000 });
  assert.ok(Date.now() - since >= 55_000, 'signed off too early');
  await look(technician.page, 'signed-off');
  assert.equal((await technician.call('GET', '/me')).status, 401);
  await server.stop();
  await technician.page.context().close();
});
