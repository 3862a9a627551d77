// The secret of an invitation link, from the technician's browser to the end user's computer without any server; and what
// both screens say when it does not fit. Also what an applet says that reaches nobody.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { endUser, finish, look, stack, tess } from './stack.mjs';
import { Applet, SAFETY_DELAY_MS } from './stack/applet.mjs';
import { SCREENSHOTS } from './stack/browser.mjs';
import { run, sleep, until } from './stack/processes.mjs';
import { APPLET } from './stack/server.mjs';
import { readTag, writeTagged } from './stack/tag.mjs';

const SECRET_MARK = Buffer.concat([Buffer.from('belay-secret/1'), Buffer.alloc(2)]);
const EXTENSION = 32 + SECRET_MARK.length;

/** Everything a page sends: addresses, headers, bodies. */
function sendings(page) {
  const all = [];
  page.on('request', async (request) => {
    all.push(request.url(), request.postData() ?? '', JSON.stringify(await request.allHeaders().catch(() => ({}))));
  });
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => all.push(Buffer.from(payload).toString('latin1'))));
  return all;
}

/** A session whose applet was downloaded by the link: {technician, session, secret, file, sent}. */
async function byLink({ link = (whole) => whole } = {}) {
  const { folder } = await stack();
  const technician = await tess();
  const sent = sendings(technician.page);
  const session = await technician.newSession();
  const secret = session.link.split('.').pop();
  assert.match(secret, /^[A-Za-z0-9_-]{43}$/);
  await technician.closeInvitation();
  const user = await endUser();
  const sentByUser = sendings(user.page);
  await user.joinByLink(link(session.link), 'Erika Example');
  assert.equal(await user.page.evaluate(() => location.hash), '');
  const { file, name } = await user.download(folder);
  assert.equal(name, 'belay-support');
  assert.deepEqual(user.page.complaints, []);
  await user.page.context().close();
  return { technician, session, secret, file, sent: () => [...sent, ...sentByUser] };
}

async function pickedUp(met, { language } = {}) {
  const { desktop } = await stack();
  const applet = new Applet(desktop, met.file, { language });
  await met.technician.waitForState(met.session.id, 'waiting');
  await met.technician.pickUp(met.session.id);
  return { ...met, applet };
}

test('the secret reaches the applet, no request carries it, and both screens say verified', async () => {
  const { desktop, server } = await stack();
  const met = await pickedUp(await byLink());
  const { technician, session, secret, applet } = met;
  const end = readFileSync(met.file).subarray(-EXTENSION);
  assert.ok(end.subarray(32).equals(SECRET_MARK));
  assert.equal(end.subarray(0, 32).toString('base64url'), secret);
  await technician.page.locator('[data-testid="security-code"][data-verified="true"]').waitFor();
  await applet.logged('link_verified');
  await look(technician.page, 'console-verified');
  await technician.page.getByText('DE', { exact: true }).click();
  await look(technician.page, 'console-verified-de');
  await technician.page.getByText('EN', { exact: true }).click();
  await desktop.picture(join(SCREENSHOTS, 'applet-verified.png'));
  await technician.at('tool-view').first().click();
  await applet.prompt();
  await desktop.picture(join(SCREENSHOTS, 'applet-prompt-verified.png'));
  await sleep(SAFETY_DELAY_MS + 400);
  await desktop.key('Escape');
  const raw = Buffer.from(secret, 'base64url').toString('latin1');
  // What the page's worker sends is seen too: the gateway was greeted by it.
  assert.ok(met.sent().some((what) => what.includes('belay-gateway/1')), 'the sockets were not looked at');
  for (const what of met.sent()) assert.ok(!what.includes(secret) && !what.includes(raw), 'the secret was sent');
  assert.ok(!readFileSync(server.log, 'latin1').includes(secret));
  assert.ok(!applet.hostLog().includes(secret));
  const kept = () => technician.page.evaluate((id) => localStorage.getItem(`belay.link-secret.${id}`), session.id);
  assert.ok((await kept()).includes(secret));
  await technician.call('POST', `/sessions/${session.id}/end`);
  await applet.exit();
  await until('the secret to be forgotten', async () => (await kept()) === null);
  await technician.page.context().close();
});

test('a colleague without the secret can take over, and the codes are compared; in German too', async () => {
  const { desktop } = await stack();
  const met = await byLink();
  const applet = new Applet(desktop, met.file, { language: 'de_DE.UTF-8' });
  const colleague = await tess();
  await colleague.waitForState(met.session.id, 'waiting');
  await colleague.pickUp(met.session.id);
  const code = colleague.at('security-code');
  await code.waitFor();
  assert.equal(await code.getAttribute('data-verified'), 'false');
  await colleague.at('tool-view').first().click();
  await applet.logged('prompt_shown');
  await sleep(800);
  await desktop.picture(join(SCREENSHOTS, 'applet-prompt-unproved-de.png'));
  assert.equal(applet.count('link_verified'), 0);
  await met.technician.page.context().close();
  await finish({ technician: colleague, applet, session: met.session });
});

for (const language of ['en_GB.UTF-8', 'de_DE.UTF-8']) {
  test(`a secret that does not fit ends everything and both screens say why (${language})`, async () => {
    const { desktop } = await stack();
    const met = await byLink();
    const other = Buffer.alloc(32, 9).toString('base64url');
    await met.technician.page.evaluate(([id, secret]) => {
      const key = `belay.link-secret.${id}`;
      localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)), secret }));
    }, [met.session.id, other]);
    const { applet, technician, session } = await pickedUp(met, { language });
    await applet.logged('tampered');
    await technician.at('session-tampered').waitFor();
    if (language.startsWith('de')) await technician.page.getByText('DE', { exact: true }).click();
    await look(technician.page, `console-tampered-${language.slice(0, 2)}`);
    await sleep(500);
    await desktop.picture(join(SCREENSHOTS, `applet-tampered-${language.slice(0, 2)}.png`));
    assert.equal(await applet.exit(), 9);
    assert.match(applet.hostLog(), /event=ended.*by=tampered/);
    await technician.waitForState(session.id, 'active', 100).catch(() => undefined);
    const { events } = (await technician.call('GET', '/security-log')).body;
    assert.ok(events.some(({ kind, session_id: id }) => kind === 'tampered' && id === session.id), JSON.stringify(events.slice(0, 3)));
    await technician.page.context().close();
  });
}

test('a link without the secret, as one typed by hand may be, downloads as ever', async () => {
  const met = await pickedUp(await byLink({ link: (whole) => whole.replace(/\.[^.]+$/, '') }));
  assert.match(readTag(met.file).session.session_authentication_id, /^[0-9a-f]{32}$/);
  const code = met.technician.at('security-code');
  await code.waitFor();
  assert.equal(await code.getAttribute('data-verified'), 'false');
  await finish(met);
});

test('an applet that reaches nobody shows what does not work, and --check says it in a terminal', async () => {
  const { folder, desktop, server } = await stack();
  const met = await byLink();
  truncateSync(met.file, readFileSync(met.file).length - EXTENSION);
  const tag = readTag(met.file);
  for (const [language, words] of [['en_GB.UTF-8', /turned away/], ['de_DE.UTF-8', /abgewiesen/]]) {
    const file = join(folder, `nowhere-${language}`);
    writeTagged(file, { ...tag, operator: { ...tag.operator, origin: 'https://localhost:1' } });
    const applet = new Applet(desktop, file, { language });
    await applet.window();
    await sleep(3000);
    await desktop.picture(join(SCREENSHOTS, `applet-unreachable-${language.slice(0, 2)}.png`));
    assert.equal(await applet.refused(), 3);
    const said = await run(file, ['--check'], { env: { ...process.env, LANG: language, LC_ALL: language } });
    assert.equal(said.code, 3);
    assert.match(said.out, words);
  }
  const well = join(folder, 'well');
  writeFileSync(well, readFileSync(met.file));
  chmodSync(well, 0o700);
  const said = await run(well, ['--check', '--language', 'en']);
  assert.equal(said.code, 0, said.out);
  assert.match(said.out, new RegExp(`Gateway \\(localhost:${server.port}\\): works`));
  assert.notEqual(APPLET, well);
  await met.technician.call('POST', `/sessions/${met.session.id}/end`);
  await met.technician.page.context().close();
});
