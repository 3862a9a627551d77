// A gateway in hostile hands, between a real applet and a real console: it reads, replays, forges, splices, drops and swaps keys,
// and gets nothing out of it. The gateway is a process of its own here, so that its memory can be searched.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TESS, granted, stack } from './stack.mjs';
import { Applet } from './stack/applet.mjs';
import { Typewriter } from './stack/desktop.mjs';
import { inMemory } from './stack/memory.mjs';
import { ANSWER, FRAME, Middle, isSealed } from './stack/middle.mjs';
import { EndUser, Technician } from './stack/people.mjs';
import { Program, must, sleep, until } from './stack/processes.mjs';
import { BELAY, Server, freePort } from './stack/server.mjs';

const GENEROUS = '[limits]\npin_per_address = 1000\npin_in_all = 1000\nsign_in_per_address = 1000';

let website;
let gateway;
let middle;

before(async () => {
  const { folder } = await stack();
  const [port, behind] = [await freePort(), await freePort()];
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

after(async () => {
  await middle?.close();
  await gateway?.stop();
  await website?.stop();
});

/** A session whose only path leads through the hostile gateway, with the screen shown and controlled if wanted. */
async function meet({ control = false, prepared } = {}) {
  const { chromium, desktop, folder } = await stack();
  const technician = new Technician(await chromium.person(), website);
  await technician.page.addInitScript(() => { delete globalThis.RTCPeerConnection; });
  await technician.signIn(TESS);
  const session = await technician.newSession();
  await technician.closeInvitation();
  const user = new EndUser(await chromium.person(), website);
  await user.joinByPin(session.pin, 'Erika Example');
  const { file } = await user.download(folder);
  await user.page.context().close();
  const applet = new Applet(desktop, file);
  await technician.waitForState(session.id, 'waiting');
  prepared?.();
  await technician.pickUp(session.id);
  const met = { technician, session, applet, desktop };
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

test('it replays, forges and splices: nothing arrives twice, nothing that is not ours arrives', async () => {
  const stolen = middle.seen.filter(({ message }) => isSealed(message));
  const met = await meet({ control: true });
  const kept = [];
  let turn = 0;
  middle.tamper(({ from, message }) => {
    if (!isSealed(message)) return [message];
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
  await end(met);
});

test('it drops: the next answer to a ping shows it, and what was dropped arrives after all, in its order', async () => {
  const met = await meet({ control: true });
  let dropped = 0;
  middle.tamper(({ from, message }) => {
    if (from !== 'console' || !isSealed(message) || dropped >= 3) return [message];
    dropped += 1;
    return [];
  });
  await type(met, 'dropped at first', 'dropped at first\n', 40_000);
  assert.equal(dropped, 3);
  await type(met, 'and on', 'dropped at first\nand on\n');
  await end(met);
});

test('it swaps a key: there is no session', async () => {
  let swapped = 0;
  const prepared = () => middle.tamper(({ from, message }) => {
    if (from !== 'applet' || message[0] !== FRAME || message[1] !== ANSWER) return [message];
    swapped += 1;
    const other = Buffer.from(message);
    other[10] ^= 0x20;
    return [other];
  });
  const met = await meet({ prepared });
  await until('a swapped key', () => swapped > 0);
  await sleep(2500);
  assert.equal(met.applet.count('technician_connected'), 0, met.applet.hostLog());
  assert.notEqual(await met.technician.at('link-state').getAttribute('data-state'), 'connected');
  assert.ok(await met.technician.at('tool-view').isDisabled());
  await end(met);
});
