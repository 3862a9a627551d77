// What the store keeps and how: nothing readable in its files, everything there again after a restart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { active, finish, stack } from './stack.mjs';
import { look } from './stack/browser.mjs';
import { until } from './stack/processes.mjs';

const LINE = 'the quick brown invoice 4711 jumps over the lazy printer';

test('a chat line is in no file of the store, and in the session details after a restart', async () => {
  const { server } = await stack();
  const met = await active({ name: 'Gundula Unmistakable' });
  await met.technician.say(LINE);
  await until('the stored line', async () => (await met.technician.details(met.session.id)).chat.some(({ text }) => text === LINE));
  await met.technician.call('POST', `/sessions/${met.session.id}/end`);
  await met.applet.exit();

  const spellings = [LINE, 'Gundula Unmistakable', 'Example GmbH', 'Tess Example'].flatMap((text) => [Buffer.from(text), Buffer.from(text, 'utf16le'), Buffer.from(Buffer.from(text).toString('base64').slice(0, 24))]);
  const search = () => {
    for (const { path, bytes } of server.files()) for (const spelling of spellings) assert.equal(bytes.indexOf(spelling), -1, `${path} holds ${spelling}`);
  };
  search();
  await server.stop();
  search();
  assert.equal(server.program.code, 0, 'a stop by SIGTERM is an orderly end');
  await server.start();

  const { technician } = met;
  await technician.page.reload();
  await technician.at('new-session').first().waitFor();
  const details = await technician.details(met.session.id);
  assert.ok(details.chat.some(({ text, author }) => text === LINE && author === 'technician'));
  assert.equal(details.session.end_user_name, 'Gundula Unmistakable');
  assert.equal(details.session.state, 'closed');

  await technician.at('past-sessions').click();
  await technician.row(met.session.id).waitFor();
  await look(technician.page, 'console-history');
  await technician.row(met.session.id).click();
  await technician.at('details-chat').getByText(LINE).waitFor();
  await look(technician.page, 'console-details');
  await technician.page.context().close();
});

test('only session log, address and chat: nothing of the remote computer is stored with a session', async () => {
  const met = await active();
  const { session } = await met.technician.details(met.session.id);
  const known = ['id', 'state', 'end_user_name', 'end_user_address', 'platform', 'created_by', 'technician', 'created_at', 'waiting_at', 'active_at', 'ended_at', 'ended_by'];
  assert.deepEqual(Object.keys(session).filter((key) => !known.includes(key)), []);
  await finish(met);
});
