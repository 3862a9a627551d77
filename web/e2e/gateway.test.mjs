// A gateway in hostile hands, between a real applet and a real console: it reads, replays, forges, splices, drops, swaps keys and
// sits in between, gets nothing out of it, and each of it shows on both screens under its own name (reading shows nowhere: there is
// nothing to be read). The gateway is a process of its own here, so that its memory can be searched.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { TESS, granted, look, stack } from './stack.mjs';
import { Applet } from './stack/applet.mjs';
import { sitBetween } from './stack/between.mjs';
import { SCREENSHOTS } from './stack/browser.mjs';
import { Typewriter } from './stack/desktop.mjs';
import { Datagrams } from './stack/datagrams.mjs';
import { inMemory } from './stack/memory.mjs';
import { ADMITTED, ANSWER, FRAME, HELLO, Middle, OPEN, RELAYING, isSealed, withCredential, withSession } from './stack/middle.mjs';
import { EndUser, Technician } from './stack/people.mjs';
import { Program, must, sleep, until } from './stack/processes.mjs';
import { BELAY, Server, freePort } from './stack/server.mjs';

const GENEROUS = '[limits]\npin_per_address = 1000\npin_in_all = 1000\nsign_in_per_address = 1000';

let website;
let gateway;
let middle;
/** The true gateway's port, of TCP and UDP. */
let behind;

before(async () => {
  const { folder } = await stack();
  const port = await freePort();
  behind = await freePort();
  website = await Server.prepare(join(folder, 'website'), { top: `gateways = [{ url = "wss://localhost:${port}/gateway/v1", region = "local" }]`, extra: GENEROUS });
  await website.account(TESS);
  await website.start({ roles: ['website', 'worker'] });
  const pair = { certificate: join(website.data, 'tls/self-signed.pem'), key: join(website.data, 'tls/self-signed.key') };
  const own = join(folder, 'gateway');
  mkdirSync(own, { mode: 0o700 });
  const config = join(own, 'belay.toml');
  writeFileSync(config, `listen = "127.0.0.1:${behind}"\ndata_dir = "${join(own, 'data')}"\n[website]\nurl = "${website.url}"\nanchor = "${pair.certificate}"\n`);
  gateway = new Program('belay serve --role gateway', BELAY, ['serve', '--config', config, '--role', 'gateway'], { log: join(own, 'gateway.log') });
  const key = await until("the gateway's key", () => /\b[0-9a-f]{64}\b/.exec(gateway.written().split('trusted at the website').pop())?.[0]);
  await must(BELAY, ['role', 'trust', key, '--config', website.config]);
  middle = await Middle.open({ ...pair, port, gateway: { host: '127.0.0.1', port: behind } });
});

afterEach(() => middle?.tamper(undefined));

after(async () => {
  await middle?.close();
  await gateway?.stop();
  await website?.stop();
});

/** A technician without direct paths and an end user who waits. */
async function waiting({ language, byLink = false, technician } = {}) {
  const { chromium, desktop, folder } = await stack();
  if (!technician) {
    technician = new Technician(await chromium.person({ direct: false }), website);
    await technician.signIn(TESS);
  }
  const session = await technician.newSession();
  await technician.closeInvitation();
  const user = new EndUser(await chromium.person(), website);
  if (byLink) await user.joinByLink(session.link, 'Erika Example');
  else await user.joinByPin(session.pin, 'Erika Example');
  const { file } = await user.download(folder);
  await user.page.context().close();
  const applet = new Applet(desktop, file, { language });
  await technician.waitForState(session.id, 'waiting');
  return { technician, session, applet, desktop };
}

/** A session whose only path leads through the hostile gateway, with the screen shown and controlled if wanted. */
async function meet({ control = false, prepared, ...how } = {}) {
  const met = await waiting(how);
  const { technician, session, applet, desktop } = met;
  await prepared?.(met);
  await technician.pickUp(session.id);
  if (!control) return met;
  await applet.logged('technician_connected');
  for (const tool of ['tool-view', 'tool-control']) {
    await technician.at(tool).click();
    await applet.allow();
    await granted(technician, tool);
  }
  met.typewriter = await Typewriter.open(desktop);
  return met;
}

async function end({ technician, session, applet, typewriter }) {
  middle.tamper(undefined);
  await typewriter?.close();
  await technician.call('POST', `/sessions/${session.id}/end`);
  await applet.exit();
  await technician.page.context().close();
}

/** The end user writes a line and the technician sees it. */
async function answer({ desktop, applet, technician }, text, patience) {
  await desktop.activate(await applet.window());
  await desktop.type(`${text}\n`);
  await technician.waitForChat(text, patience);
}

/** The technician types a line, and it is in the desktop's terminal. */
async function type({ desktop, technician, typewriter }, text, all, patience = 15_000) {
  await desktop.activate(typewriter.window);
  const place = await desktop.place(typewriter.window);
  await technician.clickAt(place.x + 200, place.y + 60);
  await technician.page.keyboard.type(text, { delay: 8 });
  await technician.page.keyboard.press('Enter');
  await until(`"${text}" in the terminal`, () => typewriter.text() === all, patience)
    .catch((error) => { throw new Error(`${error.message}; it holds ${JSON.stringify(typewriter.text())}`); });
}

const lines = ({ technician }) => technician.at('chat-text').allInnerTexts();

test('it reads: neither what passes nor its memory holds a word', async () => {
  const met = await meet();
  const [mine, theirs] = ['Zwetschgenkuchen-17-said-by-Tess', 'Quittengelee-23-said-by-Erika'];
  await met.technician.say(mine);
  await answer(met, theirs);
  await until('the stored chat', async () => (await met.technician.details(met.session.id)).chat.length === 2);
  for (const word of [mine, theirs]) {
    assert.ok(!middle.bytes().includes(word), `"${word}" went through the gateway in plain`);
    assert.equal(inMemory(gateway.pid, word), 0, `"${word}" is in the gateway's memory`);
    // The search can find: the end user's program has it before it seals it, or after it has opened it.
    assert.ok(inMemory(met.applet.program.pid, word) > 0, `"${word}" is not even in the applet's memory`);
  }
  assert.ok(middle.seen.filter(({ message }) => isSealed(message)).length > 4, 'the session went through the gateway');
  await end(met);
});

test('it relays datagrams: neither they nor its memory hold a word', async () => {
  const { chromium } = await stack();
  const way = await Datagrams.open({ host: '127.0.0.1', port: behind });
  const person = await chromium.person();
  // Nothing but relayed addresses, so that every packet goes by the gateway.
  await person.addInitScript(() => {
    const Real = globalThis.RTCPeerConnection;
    globalThis.RTCPeerConnection = class extends Real {
      constructor(how) { super({ ...how, iceTransportPolicy: 'relay' }); }
    };
  });
  const technician = new Technician(person, website);
  await technician.signIn(TESS);
  const named = relaying([`stun:127.0.0.1:${way.port}`, `turn:127.0.0.1:${way.port}?transport=udp`]);
  middle.tamper(({ message }) => [message[0] === RELAYING ? withCredentialsOf(message, named) : message]);
  const met = await meet({ technician });
  await person.waitForFunction(() => document.querySelector('[data-testid="path"]')?.dataset.path === 'relayed_udp', undefined, { polling: 50, timeout: 30_000 });
  const [mine, theirs] = ['Stachelbeersaft-41-said-by-Tess', 'Mirabellenmus-43-said-by-Erika'];
  const before = way.seen.length;
  await met.technician.say(mine);
  await answer(met, theirs);
  assert.ok(way.seen.length > before + 4, 'the words went by datagrams');
  for (const word of [mine, theirs]) {
    assert.ok(!way.bytes().includes(word) && !middle.bytes().includes(word), `"${word}" went through the gateway in plain`);
    assert.equal(inMemory(gateway.pid, word), 0, `"${word}" is in the gateway's memory`);
  }
  await end(met);
  way.close();
});

test('it replays, forges and splices: nothing arrives twice, nothing that is not ours arrives, and both reports count it', async () => {
  const stolen = middle.seen.filter(({ message }) => isSealed(message));
  const met = await meet({ control: true });
  const kept = [];
  let turn = 0;
  middle.tamper(({ from, message }) => {
    // Forged once more on its way on, a forged packet would be the true one again.
    if (from === 'gateway' || !isSealed(message)) return [message];
    kept.push({ from, message });
    turn += 1;
    const old = kept.find((one) => one.from === from)?.message;
    const foreign = stolen.filter((one) => one.from === from).at(turn % 5)?.message;
    const forged = Buffer.from(message);
    forged[forged.length - 1] ^= 1;
    return [forged, message, message, old, ...(foreign ? [foreign] : [])];
  });
  await met.technician.say('once and only once');
  await type(met, 'aabbccddee', 'aabbccddee\n');
  await answer(met, 'me too, just once');
  await sleep(500);
  assert.equal(met.typewriter.text(), 'aabbccddee\n');
  assert.deepEqual(await lines(met), ['once and only once', 'me too, just once']);
  assert.ok(turn > 10 && stolen.length > 4);
  // Each sort under its own name: at the console, and at the end user's.
  const found = await disturbed(met);
  assert.ok(found.forged > 5 && found.repeated > 5, JSON.stringify(found));
  await look(met.technician.page, 'console-interference');
  await met.technician.page.getByText('DE', { exact: true }).click();
  await look(met.technician.page, 'console-interference-de');
  await until('both in the host log', () => /event=interference forged=[1-9]\d* repeated=[1-9]\d* swallowed=0/.test(met.applet.hostLog()), 15_000);
  await end(met);
});

/** A sealed frame of so many bytes holds more than an acknowledgement or a ping. */
const SAYS_SOMETHING = 100;

test('it drops: the next answer to a ping shows it, what was dropped arrives after all, in its order, and both reports say so', async () => {
  const met = await meet({ control: true });
  const dropped = { console: 0, applet: 0 };
  middle.tamper(({ from, message }) => {
    if (from === 'gateway' || !isSealed(message) || dropped[from] >= 3) return [message];
    // What only acknowledges is not missed: the next acknowledgement says the same.
    if (from === 'applet' && message.length < SAYS_SOMETHING) return [message];
    dropped[from] += 1;
    return [];
  });
  await type(met, 'dropped at first', 'dropped at first\n', 40_000);
  await answer(met, 'and here as well', 40_000);
  assert.deepEqual(dropped, { console: 3, applet: 3 });
  await type(met, 'and on', 'dropped at first\nand on\n');
  const found = await disturbed(met);
  assert.ok(found.swallowed > 0 && found.swallowed <= 3, JSON.stringify(found));
  assert.deepEqual([found.forged, found.repeated], [0, 0]);
  await met.applet.logged('interference', 1, 15_000);
  assert.match(met.applet.hostLog(), /event=interference forged=0 repeated=0 swallowed=[1-3]\b/);
  await end(met);
});

test('a gateway that does nothing of it is not accused of anything', async () => {
  const met = await meet({ control: true });
  await met.technician.say('all well');
  await type(met, 'all well', 'all well\n');
  await sleep(6000);
  assert.equal(await met.technician.at('path-disturbed').count(), 0);
  assert.equal(met.applet.count('interference') + met.applet.count('insecure'), 0, met.applet.hostLog());
  await end(met);
});

test('it swaps a key: no session, and both screens say not to go on', async () => {
  const met = await meet({ prepared: () => swap('applet', ANSWER) });
  await refused(met, { detail: 'broken_keys', words: /different keys.*Somebody between you may be changing the connection/s, reason: 'keys' });
  await look(met.technician.page, 'console-insecure-keys');
  await met.technician.page.getByText('DE', { exact: true }).click();
  await look(met.technician.page, 'console-insecure-keys-de');
  await met.desktop.picture(join(SCREENSHOTS, 'applet-insecure-keys.png'));
  const { events } = (await met.technician.call('GET', '/security-log')).body;
  assert.ok(events.some(({ kind, session_id: id }) => kind === 'tampered' && id === met.session.id), JSON.stringify(events.slice(0, 3)));
  await met.technician.page.getByText('EN', { exact: true }).click();
  // Somebody who comes back on a clean way is as welcome as ever.
  middle.tamper(undefined);
  await met.technician.at('session-lost').getByRole('button').click();
  await met.applet.logged('technician_connected');
  await end(met);
});

test('it swaps the other key, against its commitment: the same, under its own name', async () => {
  const met = await meet({ prepared: () => swap('console', OPEN), language: 'de_DE.UTF-8' });
  await refused(met, { detail: 'broken_keys', words: /different keys/, reason: 'handshake' });
  await met.desktop.picture(join(SCREENSHOTS, 'applet-insecure-handshake-de.png'));
  await end(met);
});

test('it swaps a key and holds back what the applet says of it: after twenty seconds the console says so all the same', async () => {
  const prepared = () => middle.tamper(({ from, message }) => {
    if (from !== 'applet' || message[0] !== FRAME) return [message];
    return message[1] === ANSWER ? [changed(message)] : [];
  });
  const met = await meet({ prepared });
  await refused(met, { detail: 'no_answer', words: /somebody in between holds its answers back.*do not go on/s, reason: 'keys' });
  await end(met);
});

test('it holds back the end of the handshake: both say after twenty seconds that something is missing', async () => {
  const prepared = () => middle.tamper(({ from, message }) => (from === 'console' && message[0] === FRAME && message[1] !== 0x10 ? [] : [message]));
  const met = await meet({ prepared });
  await refused(met, { detail: 'no_answer', words: /could not be secured in time/, reason: 'unfinished' });
  await met.desktop.picture(join(SCREENSHOTS, 'applet-insecure-unfinished.png'));
  await end(met);
});

test('it splices two sessions: one that says so is left at once, one that lies about it makes keys that differ', async () => {
  const other = await waiting();
  for (const [lies, detail, words] of [[false, 'foreign_session', /belongs to another session/], [true, 'broken_keys', /different keys/]]) {
    const { technician } = other;
    // The ticket of the other session, which the gateway has seen or was given by the website.
    const path = lies ? 'connect' : 'pick-up';
    const { body } = await technician.call('POST', `/sessions/${other.session.id}/${path}`);
    const ticket = Buffer.from(body.ticket, 'base64url');
    const prepared = ({ session }) => middle.tamper(({ from, message, leg }) => {
      if (from === 'console' && message[0] === HELLO) return [withCredential(message, ticket)];
      return [lies && leg.role === 'console' && message[0] === ADMITTED ? withSession(message, session.id) : message];
    });
    const met = await meet({ prepared });
    const why = met.technician.at('session-lost-why');
    await why.waitFor();
    assert.equal(await why.getAttribute('data-detail'), detail);
    assert.match(await met.technician.at('session-lost').innerText(), words);
    if (!lies) await look(met.technician.page, 'console-foreign-session');
    if (lies) {
      await other.applet.logged('insecure');
      assert.match(other.applet.hostLog(), /event=insecure reason=keys/);
    }
    for (const { applet } of [met, other]) assert.equal(applet.count('technician_connected'), 0, applet.hostLog());
    await end(met);
  }
  await end(other);
});

test('it sits in between with keys of its own, by PIN: it reads all, and the two codes differ', async () => {
  let spy;
  const met = await meet({ prepared: async () => { spy = await sitBetween(middle); } });
  await met.applet.logged('technician_connected');
  await met.technician.say('this it can read');
  await until('what it reads', () => spy.read.some((packet) => packet.includes('this it can read')));
  const shown = (await met.technician.at('security-code').innerText()).replace(/\D/g, '');
  assert.equal(shown, spy.codes.console);
  assert.notEqual(spy.codes.console, spy.codes.applet);
  assert.equal(await met.technician.at('security-code').getAttribute('data-verified'), 'false');
  await look(met.technician.page, 'console-codes-differ');
  await met.technician.at('tool-view').click();
  await met.applet.prompt();
  await met.desktop.picture(join(SCREENSHOTS, 'applet-codes-differ.png'));
  await met.applet.refuse().catch(() => undefined);
  await end(met);
});

test('it sits in between, by link: the secret finds it out, and both screens say not to go on', async () => {
  const met = await meet({ byLink: true, prepared: () => sitBetween(middle) });
  await met.technician.at('session-tampered').waitFor();
  assert.match(await met.technician.at('session-tampered').innerText(), /somebody has placed themselves between/i);
  await met.applet.logged('tampered');
  assert.equal(await met.applet.exit(), 9);
  middle.tamper(undefined);
  await met.technician.page.context().close();
});

test('it names STUN and TURN servers of its own: the session goes on, sealed as ever', async () => {
  const { chromium } = await stack();
  const technician = new Technician(await chromium.person(), website);
  await technician.signIn(TESS);
  let named = 0;
  const evil = relaying(['stun:127.0.0.1:9', 'turn:127.0.0.1:9?transport=udp', 'turns:localhost:9?transport=tcp']);
  middle.tamper(({ message }) => { if (message[0] !== RELAYING) return [message]; named += 1; return [evil]; });
  const met = await meet({ technician });
  await met.technician.say('Himbeergeist-31-said-by-Tess');
  await answer(met, 'Birnenmost-37-said-by-Erika');
  assert.ok(named >= 2);
  for (const word of ['Himbeergeist-31', 'Birnenmost-37']) assert.ok(!middle.bytes().includes(word));
  assert.equal(met.applet.count('insecure') + met.applet.count('interference'), 0);
  await end(met);
});

/** A gateway's word about STUN and TURN (docs/protocol/gateway.md). */
function relaying(urls) {
  const text = (words) => { const bytes = Buffer.from(words); const size = Buffer.alloc(2); size.writeUInt16BE(bytes.length); return Buffer.concat([size, bytes]); };
  const head = Buffer.alloc(5);
  head[0] = RELAYING;
  head.writeUInt32BE(3600, 1);
  return Buffer.concat([head, text('user'), text('password'), Buffer.of(urls.length), ...urls.map(text)]);
}

/** Its URLs with the user name and password of a true one. */
function withCredentialsOf(message, other) {
  const size = (bytes, at) => bytes.readUInt16BE(at);
  const end = (bytes) => { const password = 7 + size(bytes, 5); return password + 2 + size(bytes, password); };
  return Buffer.concat([message.subarray(0, end(message)), other.subarray(end(other))]);
}

/** The same frame with a bit of its key changed. */
function changed(message) {
  const other = Buffer.from(message);
  other[10] ^= 0x20;
  return other;
}

/** Changes a key of the handshake on its way. */
function swap(from, kind) {
  middle.tamper((one) => [one.from === from && one.message[0] === FRAME && one.message[1] === kind ? changed(one.message) : one.message]);
}

/** Neither side has a session; the console says why, and with `reason` the applet too. */
async function refused({ technician, applet }, { detail, words, reason }) {
  const why = technician.at('session-lost-why');
  await why.waitFor({ timeout: 30_000 });
  assert.equal(await why.getAttribute('data-detail'), detail);
  assert.match(await technician.at('session-lost').innerText(), words);
  if (reason !== undefined) {
    await applet.logged('insecure', 1, 30_000);
    assert.match(applet.hostLog(), new RegExp(`event=insecure reason=${reason}\\b`));
  }
  assert.equal(applet.count('technician_connected'), 0, applet.hostLog());
  assert.ok(await technician.at('tool-view').isDisabled());
}

/** What the console's connection report says of interference. */
async function disturbed({ technician }) {
  await technician.at('path-disturbed').waitFor();
  await technician.at('path-open').click();
  const list = technician.at('path-interference');
  await list.waitFor();
  const numbers = await list.evaluate(({ dataset }) => ({ forged: Number(dataset.forged), repeated: Number(dataset.repeated), swallowed: Number(dataset.swallowed) }));
  return numbers;
}
