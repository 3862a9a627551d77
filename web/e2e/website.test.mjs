// A website in hostile hands, as far as it answers falsely: another session, somebody else's charter, an old one, another gateway,
// another key or anchor in the download. Console and applet find it out, each under its own name. (A website that serves other code
// than ours is out of reach: docs/threat-model.md.)
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { build } from 'vite';
import { TESS, endUser, finish, look, stack, tess, waiting } from './stack.mjs';
import { Applet } from './stack/applet.mjs';
import { sitBetween } from './stack/between.mjs';
import { SCREENSHOTS } from './stack/browser.mjs';
import { Impostor } from './stack/impostor.mjs';
import { Middle } from './stack/middle.mjs';
import { Technician } from './stack/people.mjs';
import { must, run, until } from './stack/processes.mjs';
import { freePort } from './stack/server.mjs';
import { readTag, writeTagged } from './stack/tag.mjs';

/** Behind the tag of an applet that was downloaded by a link: the secret and its mark. */
const EXTENSION = 32 + 16;
const opened = [];
after(() => Promise.all(opened.map((one) => one.close())));

/** Answers of the website to this technician are changed: `change(answer)` of each pick-up and connect. */
async function answers(technician, change) {
  await technician.page.route(/\/api\/v1\/sessions\/[^/]+\/(pick-up|connect)$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: await change(await response.json()) });
  });
}

const documentOf = ({ charter }) => JSON.parse(Buffer.from(charter.document, 'base64').toString('utf8'));
const withDocument = (connection, document) => ({ ...connection, charter: { ...connection.charter, document: Buffer.from(JSON.stringify(document)).toString('base64') } });

/** What the console says instead of going on. */
async function says({ technician }, detail, words) {
  const why = technician.at('session-lost-why');
  await why.waitFor();
  assert.equal(await why.getAttribute('data-detail'), detail);
  assert.match(await technician.at('session-lost').innerText(), words);
  assert.ok(await technician.at('tool-view').isDisabled());
}

test('it answers with another session: the console does not go there, and its end user hears of nobody', async () => {
  const victim = await waiting();
  const met = await waiting();
  const foreign = (await victim.technician.call('POST', `/sessions/${victim.session.id}/pick-up`)).body;
  await answers(met.technician, () => foreign);
  await met.technician.pickUp(met.session.id);
  await says(met, 'foreign_session', /belongs to another session.*may have been taken over/s);
  for (const { applet } of [met, victim]) assert.equal(applet.count('technician_connected') + applet.count('charter_refused'), 0, applet.hostLog());
  await finish(met);
  await finish(victim);
});

test('it answers with the ticket of another session alone: the gateway says where it leads, and the console leaves', async () => {
  const victim = await waiting();
  const met = await waiting();
  const foreign = (await victim.technician.call('POST', `/sessions/${victim.session.id}/pick-up`)).body;
  await answers(met.technician, (own) => ({ ...own, ticket: foreign.ticket }));
  await met.technician.pickUp(met.session.id);
  await says(met, 'foreign_session', /belongs to another session/);
  for (const { applet } of [met, victim]) assert.equal(applet.count('technician_connected'), 0, applet.hostLog());
  await finish(met);
  await finish(victim);
});

test('it answers with a charter in somebody else’s name, an old one, an unreadable one', async () => {
  const met = await waiting();
  let change = (own) => own;
  await answers(met.technician, (own) => change(own));
  const day = 24 * 3600 * 1_000_000;
  const cases = [
    ['foreign_technician', /under somebody else’s name/, (own) => withDocument(own, { ...documentOf(own), technician: { id: own.session.id, name: 'Mallory Example' } })],
    ['stale_charter', /using an old statement again/, (own) => withDocument(own, { ...documentOf(own), issued_at: documentOf(own).issued_at - 3 * day, expires_at: documentOf(own).expires_at - 3 * day })],
    ['no_charter', /cannot be read/, (own) => ({ ...own, charter: { ...own.charter, document: 'bm9uc2Vuc2U=' } })],
  ];
  for (const [detail, words, how] of cases) {
    change = how;
    if (detail === cases[0][0]) await met.technician.pickUp(met.session.id);
    else await met.technician.at('session-lost').getByRole('button').click();
    await met.technician.page.locator(`[data-testid="session-lost-why"][data-detail="${detail}"]`).waitFor();
    await says(met, detail, words);
    if (detail === 'foreign_technician') await look(met.technician.page, 'console-foreign-technician');
  }
  assert.equal(met.applet.count('technician_connected') + met.applet.count('charter_refused'), 0, met.applet.hostLog());
  // With a true answer it works.
  change = (own) => own;
  await met.technician.at('session-lost').getByRole('button').click();
  await met.applet.logged('technician_connected');
  await finish(met);
});

test('a console that passes on what is not its own is refused by the applet, which says why', async () => {
  const { server } = await stack();
  const options = { configFile: false, logLevel: 'error', root: resolve(import.meta.dirname, '..') };
  const entry = resolve(import.meta.dirname, 'stack/hostile-console.mjs');
  const made = await build({ ...options, build: { write: false, minify: false, lib: { entry, formats: ['es'], fileName: 'hostile' } } });
  const script = [made].flat()[0].output[0].code;
  const earlier = await waiting();
  const old = (await earlier.technician.call('POST', `/sessions/${earlier.session.id}/pick-up`)).body;
  await finish(earlier);
  const forger = (own) => withDocument(own, { ...documentOf(own), technician: { ...documentOf(own).technician, name: 'Your bank' } });
  for (const [reason, how] of [['foreign', (own) => ({ ...own, charter: old.charter })], ['signature', forger], ['signature', (own) => ({ ...own, charter: { ...own.charter, signature: old.charter.signature } })]]) {
    const met = await waiting();
    const { page } = met.technician;
    await page.route(`${server.url}/hostile.js`, (route) => route.fulfill({ contentType: 'text/javascript', body: script }));
    await page.addScriptTag({ url: '/hostile.js', type: 'module' });
    const account = (await met.technician.call('GET', '/me')).body.account.id;
    const connection = how((await met.technician.call('POST', `/sessions/${met.session.id}/pick-up`)).body);
    await page.evaluate(([what, who]) => globalThis.hostileConsole(what, who, true), [connection, account]);
    await met.applet.logged('charter_refused');
    assert.match(met.applet.hostLog(), new RegExp(`event=charter_refused reason=${reason}\\b`));
    const verdicts = await until('the verdict', () => page.evaluate(() => { const all = globalThis.hostile.heard.filter(({ kind }) => kind === 'charter_checked'); return all.length > 0 && all.map(({ verdict }) => verdict); }));
    assert.deepEqual(verdicts, [reason]);
    await page.evaluate(() => globalThis.hostile.send({ kind: 'request', request: 1, rights: ['desktop_view'] }));
    await until('the refusal', () => page.evaluate(() => globalThis.hostile.heard.some(({ kind, outcome }) => kind === 'decision' && outcome === 'out_of_order')));
    assert.equal(met.applet.count('prompt_shown'), 0);
    await finish(met);
  }
});

/** A download of a session, and what its tag says. */
async function downloaded({ byLink = false, technician } = {}) {
  const { folder } = await stack();
  technician ??= await tess();
  const session = await technician.newSession();
  await technician.closeInvitation();
  const user = await endUser();
  if (byLink) await user.joinByLink(session.link, 'Erika Example');
  else await user.joinByPin(session.pin, 'Erika Example');
  const { file } = await user.download(folder);
  await user.page.context().close();
  let extension = Buffer.alloc(0);
  if (byLink) {
    const bytes = readFileSync(file);
    extension = bytes.subarray(-EXTENSION);
    writeFileSync(file, bytes.subarray(0, -EXTENSION));
  }
  const tag = readTag(file);
  /** The same download with another operator's part. */
  const tampered = (operator) => {
    writeTagged(file, { ...tag, operator: { ...tag.operator, ...operator } });
    writeFileSync(file, Buffer.concat([readFileSync(file), extension]));
    return file;
  };
  return { technician, session, file, tag, tampered };
}

for (const language of ['en_GB.UTF-8', 'de_DE.UTF-8']) {
  test(`it puts another key for charters into the download: nothing can be asked, and both screens say why (${language})`, async () => {
    const { desktop } = await stack();
    const met = await downloaded();
    const applet = new Applet(desktop, met.tampered({ charter_key: 'ab'.repeat(32) }), { language });
    await met.technician.waitForState(met.session.id, 'waiting');
    await met.technician.pickUp(met.session.id);
    await applet.logged('charter_refused');
    assert.match(applet.hostLog(), /event=charter_refused reason=signature/);
    const why = met.technician.at('session-charter-why');
    await why.waitFor();
    assert.equal(await why.getAttribute('data-detail'), 'charter_signature');
    assert.match(await met.technician.at('session-charter-refused').innerText(), /came from another server than the one that vouches for you/);
    assert.ok(await met.technician.at('tool-view').isDisabled());
    const short = language.slice(0, 2);
    if (short === 'de') await met.technician.page.getByText('DE', { exact: true }).click();
    await look(met.technician.page, `console-charter-signature-${short}`);
    await desktop.activate(await applet.window());
    await desktop.picture(join(SCREENSHOTS, `applet-untrusted-signature-${short}.png`));
    await finish({ ...met, applet });
  });
}

/** A certificate for localhost that nobody has asked for: {certificate, key}. */
async function foreignPair() {
  const { folder } = await stack();
  const [certificate, key] = [join(folder, 'foreign.pem'), join(folder, 'foreign.key')];
  await must('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE', '-keyout', key, '-out', certificate]);
  return { certificate, key };
}

const ownPair = ({ data }) => ({ certificate: join(data, 'tls/self-signed.pem'), key: join(data, 'tls/self-signed.key') });

test('it puts another anchor into the download: the applet does not talk to what that does not vouch for, and says so', async () => {
  const { desktop } = await stack();
  const met = await downloaded();
  const pair = await foreignPair();
  const file = met.tampered({ anchors: readFileSync(pair.certificate, 'utf8') });
  const said = await run(file, ['--check', '--language', 'en']);
  assert.equal(said.code, 3);
  assert.match(said.out, /Identity of localhost:\d+: this is not the server that it should be/);
  const applet = new Applet(desktop, file);
  assert.equal(await applet.refused(), 3);
  await met.technician.call('POST', `/sessions/${met.session.id}/end`);
  await met.technician.page.context().close();
});

test('it leads the applet to a gateway that proves nothing: passed over where there is another, and said where there is none', async () => {
  const { desktop, server } = await stack();
  const port = await freePort();
  const evil = await freePort();
  const middle = await Middle.open({ ...await foreignPair(), port: evil, gateway: { host: '127.0.0.1', port: server.port } });
  opened.push(middle);
  const listed = (...ports) => JSON.stringify({ gateways: ports.map((one) => ({ url: `wss://localhost:${one}/gateway/v1`, region: 'local' })) });
  let list = listed(evil);
  const impostor = await Impostor.open({ ...ownPair(server), port, website: { host: '127.0.0.1', port: server.port }, change: (path, body) => (path.startsWith('/api/v1/applet/gateways') ? list : body) });
  opened.push(impostor);

  const met = await downloaded();
  const file = met.tampered({ origin: `https://localhost:${port}` });
  const said = await run(file, ['--check', '--language', 'en']);
  assert.equal(said.code, 3, said.out);
  assert.match(said.out, new RegExp(`(Gateway|Identity)[^\n]*localhost:${evil}[^\n]*not the server that it should be`));
  list = listed(evil, server.port);
  const applet = new Applet(desktop, file);
  await met.technician.waitForState(met.session.id, 'waiting');
  await met.technician.pickUp(met.session.id);
  await applet.logged('technician_connected');
  assert.ok(impostor.asked.some((path) => path.startsWith('/api/v1/applet/gateways')));
  assert.deepEqual(middle.seen, [], 'something was said to a gateway that proved nothing');
  await finish({ ...met, applet });
});

test('it leads the console to another gateway: the page does not even ask there', async () => {
  const met = await waiting();
  await answers(met.technician, (own) => ({ ...own, gateways: ['wss://elsewhere.example/gateway/v1'] }));
  await met.technician.pickUp(met.session.id);
  await says(met, 'unreachable', /connection to .* was lost/);
  await finish(met);
});

test('with origin, anchor and gateway of its own, by link, it still cannot sit in between: both screens say so', async () => {
  const { desktop, server, chromium } = await stack();
  const pair = await foreignPair();
  const [port, behind] = [await freePort(), await freePort()];
  const middle = await Middle.open({ ...pair, port: behind, gateway: { host: '127.0.0.1', port: server.port } });
  const impostor = await Impostor.open({
    ...pair, port, website: { host: '127.0.0.1', port: server.port },
    change: (path, body) => (path.startsWith('/api/v1/applet/gateways') ? JSON.stringify({ gateways: [{ url: `wss://localhost:${behind}/gateway/v1`, region: 'local' }] }) : body),
  });
  opened.push(middle, impostor);
  // Such a website writes its own Content-Security-Policy. A worker's is not bypassed: the page keeps its sockets itself.
  const person = await chromium.person({ direct: false, bypassCSP: true });
  await person.addInitScript(() => { delete Atomics.waitAsync; });
  const technician = new Technician(person, server);
  await technician.signIn(TESS);
  const met = await downloaded({ byLink: true, technician });
  const file = met.tampered({ origin: `https://localhost:${port}`, anchors: readFileSync(pair.certificate, 'utf8') });
  await answers(technician, (own) => ({ ...own, gateways: [`wss://localhost:${behind}/gateway/v1`] }));
  await sitBetween(middle);
  const applet = new Applet(desktop, file);
  await technician.waitForState(met.session.id, 'waiting');
  await technician.pickUp(met.session.id);
  await technician.at('session-tampered').waitFor();
  await applet.logged('tampered');
  assert.equal(await applet.exit(), 9);
  assert.match(applet.hostLog(), /event=ended.*by=tampered/);
  await technician.page.context().close();
});
