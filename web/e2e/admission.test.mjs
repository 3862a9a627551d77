// Step 4: which applets the gateway lets in. Each refusal has an exit code and a text of its own, and is logged.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFileSync, chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FINN, TESS, endUser, finish, stack, tess, waiting } from './stack.mjs';
import { Applet } from './stack/applet.mjs';
import { Technician } from './stack/people.mjs';
import { run, sleep } from './stack/processes.mjs';
import { APPLET, Server } from './stack/server.mjs';
import { readTag, writeTagged } from './stack/tag.mjs';

/** A downloaded applet that has not been run: {file, session, technician}. */
async function downloaded() {
  const { folder } = await stack();
  const technician = await tess();
  const session = await technician.newSession();
  await technician.closeInvitation();
  const user = await endUser();
  await user.joinByPin(session.pin, 'Erika Example');
  const { file } = await user.download(folder);
  await user.page.context().close();
  return { file, session, technician };
}

async function securityLog(technician) {
  return (await technician.call('GET', '/security-log?limit=100')).body.events;
}

test('an id that nobody knows: exit code 4, logged here and there', async () => {
  const { desktop, folder } = await stack();
  const { file, session, technician } = await downloaded();
  const tag = readTag(file);
  tag.session.session_authentication_id = randomBytes(16).toString('hex');
  const crafted = join(folder, 'crafted-unknown');
  writeTagged(crafted, tag);
  const applet = new Applet(desktop, crafted);
  assert.equal(await applet.refused(), 4);
  await technician.call('POST', `/sessions/${session.id}/end`);
  await technician.page.context().close();
});

test('an id that has been used: exit code 6, and the first session goes on', async () => {
  const { desktop, folder } = await stack();
  const { file, session, technician } = await downloaded();
  const copy = join(folder, 'copy-used');
  copyFileSync(file, copy);
  chmodSync(copy, 0o700);
  const first = new Applet(desktop, file);
  await technician.waitForState(session.id, 'waiting');
  const second = new Applet(desktop, copy);
  assert.equal(await second.refused(), 6);
  assert.equal(first.program.code, undefined);
  const events = await securityLog(technician);
  assert.ok(events.some((event) => /refused|admission/.test(event.kind) && /used/.test(`${event.kind} ${event.detail}`)), JSON.stringify(events.slice(0, 5)));
  await finish({ technician, applet: first, session });
});

test('an id of another account: exit code 8', async () => {
  const { desktop, folder, server, chromium } = await stack();
  const { file, session, technician } = await downloaded();
  const other = new Technician(await chromium.person(), server);
  await other.signIn(FINN);
  const me = await other.call('GET', '/me');
  const tag = readTag(file);
  tag.session.account = me.body.account.id;
  const crafted = join(folder, 'crafted-foreign');
  writeTagged(crafted, tag);
  assert.equal(await new Applet(desktop, crafted).refused(), 8);
  await technician.call('POST', `/sessions/${session.id}/end`);
  for (const person of [technician, other]) await person.page.context().close();
});

test('an id whose time is over: exit code 7', async () => {
  const { desktop, folder, chromium } = await stack();
  const server = await Server.prepare(join(folder, 'later'));
  await server.account(TESS);
  await server.start();
  const technician = new Technician(await chromium.person(), server);
  await technician.signIn(TESS);
  const session = await technician.newSession();
  await technician.closeInvitation();
  const page = await chromium.person();
  const { EndUser } = await import('./stack/people.mjs');
  const user = new EndUser(page, server);
  await user.joinByPin(session.pin, 'Erika Example');
  const { file } = await user.download(folder);
  await server.stop();
  await server.start({ wrapper: ['faketime', '-f', '+31m'] });
  assert.equal(await new Applet(desktop, file).refused(), 7);
  await server.stop();
  for (const person of [technician, user]) await person.page.context().close();
});

test('a server with another certificate, and no server at all: exit code 3', async () => {
  const { desktop, folder } = await stack();
  const { file, session, technician } = await downloaded();
  const stranger = await Server.prepare(join(folder, 'stranger'));
  await stranger.account(TESS);
  await stranger.start();
  const tag = readTag(file);
  const crafted = join(folder, 'crafted-stranger');
  writeTagged(crafted, { ...tag, operator: { ...tag.operator, origin: stranger.url } });
  const applet = new Applet(desktop, crafted);
  assert.equal(await applet.refused(), 3);
  await stranger.stop();
  const alone = join(folder, 'crafted-alone');
  writeTagged(alone, { ...tag, operator: { ...tag.operator, origin: stranger.url } });
  assert.equal(await new Applet(desktop, alone).refused(), 3);
  await technician.call('POST', `/sessions/${session.id}/end`);
  await technician.page.context().close();
});

test('a file without a tag, with a broken tag, and without a display', async () => {
  const { desktop, folder } = await stack();
  const plain = join(folder, 'plain-applet');
  copyFileSync(APPLET, plain);
  chmodSync(plain, 0o700);
  assert.equal(await new Applet(desktop, plain).refused(), 2);

  const { file, session, technician } = await downloaded();
  const tag = readTag(file);
  const broken = join(folder, 'broken-applet');
  writeTagged(broken, { ...tag, session: { ...tag.session, session_authentication_id: 'zz' } });
  assert.equal(await new Applet(desktop, broken).refused(), 2);

  const blind = new Applet(desktop, file, { env: { DISPLAY: undefined } });
  assert.equal(await blind.exit(), 5);
  await technician.call('POST', `/sessions/${session.id}/end`);
  await technician.page.context().close();

  const { out } = await run(APPLET, ['--help']);
  assert.doesNotMatch(out, /--(allow|accept|consent|grant|yes|no-prompt|unattended|silent|hidden)/i);
  writeFileSync(join(folder, 'help.txt'), out);
});

test('the applet that waits sees its own window named after the product, in the language of its system', async () => {
  const { desktop } = await stack();
  for (const language of ['en_GB.UTF-8', 'de_DE.UTF-8']) {
    const met = await waiting({ language });
    await met.applet.window();
    await sleep(700);
    await desktop.picture(join(import.meta.dirname, 'screenshots', `applet-waiting-${language.slice(0, 2)}.png`));
    assert.ok(met.applet.count('session_started') === 1, met.applet.hostLog());
    await finish(met);
  }
});
