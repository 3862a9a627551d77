// Step 8: a console that sends what nobody granted. It gets an error, nothing moves, and both logs say so.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { build } from 'vite';
import { stack, waiting } from './stack.mjs';
import { Typewriter } from './stack/desktop.mjs';
import { sleep, until } from './stack/processes.mjs';

let script;

/** The hostile console as one script, made from the product's own packages. */
async function hostileScript() {
  if (!script) {
    const entry = resolve(import.meta.dirname, 'stack/hostile-console.mjs');
    const options = { configFile: false, logLevel: 'error', root: resolve(import.meta.dirname, '..') };
    const made = await build({ ...options, build: { write: false, minify: false, lib: { entry, formats: ['es'], fileName: 'hostile' } } });
    script = [made].flat()[0].output[0].code;
  }
  return script;
}

/** A session picked up by a hostile console in the technician's own browser: {technician, session, applet, ask}. */
async function hostile({ withCharter = true } = {}) {
  const { server } = await stack();
  const met = await waiting();
  const { page } = met.technician;
  await page.route(`${server.url}/hostile.js`, async (route) => route.fulfill({ contentType: 'text/javascript', body: await hostileScript() }));
  await page.addScriptTag({ url: '/hostile.js', type: 'module' });
  const account = (await met.technician.call('GET', '/me')).body.account.id;
  const connection = (await met.technician.call('POST', `/sessions/${met.session.id}/pick-up`)).body;
  await page.evaluate(([how, who, named]) => globalThis.hostileConsole(how, who, named), [connection, account, withCharter]);
  if (withCharter) await met.applet.logged('technician_connected');
  const send = (message) => page.evaluate((what) => globalThis.hostile.send(what), message);
  const raw = (of, bytes) => page.evaluate(([where, what]) => globalThis.hostile.raw(where, what), [of, bytes]);
  const heard = (kind) => page.evaluate((wanted) => globalThis.hostile.heard.filter((message) => message.kind === wanted).map(({ right, refused, outcome }) => ({ right, refused, outcome })), kind);
  return { ...met, send, raw, heard };
}

/** The same as bytes, independent of the product's own encoder (docs/protocol/messages.md). */
const RAW_INPUTS = [
  [0x40, 0, 0x10, 0x00, 0x10, 0x00], [0x41, 1, 1, 0, 0x10, 0x00, 0x10, 0x00], [0x41, 1, 0, 0, 0x10, 0x00, 0x10, 0x00], [0x42, 0, 0, 0, 120, 0, 0x10, 0x00, 0x10, 0x00],
  [0x43, 1, 0x00, 0x04, 0, 0, 1, 0x61], [0x43, 0, 0x00, 0x04, 0, 0, 1, 0x61], [0x44, 0, 2, 0x68, 0x69], [0x45, 1],
];

test('input without a grant: Denied, nothing moves, both logs tell', async () => {
  const { desktop } = await stack();
  const met = await hostile();
  const typewriter = await Typewriter.open(desktop);
  await desktop.movePointer(700, 650);
  const before = await desktop.pointer();
  for (const bytes of RAW_INPUTS) await met.raw('input', bytes);
  const denied = await until('the errors', async () => { const all = await met.heard('denied'); return all.length >= 1 && all; });
  assert.ok(denied.every(({ right }) => right === 'remote_control'), JSON.stringify(denied));
  assert.ok(denied.some(({ refused }) => refused === 0x40), 'which message was refused is not told');
  await sleep(800);
  await desktop.key('Return');
  assert.deepEqual(await desktop.pointer(), before);
  assert.equal(typewriter.text().trim(), '');
  await met.applet.logged('violation');
  assert.match(met.applet.hostLog(), /event=violation .*right=remote_control/);
  await until('the violation in the security log', async () => {
    const { events } = (await met.technician.call('GET', '/security-log?limit=100')).body;
    return events.some((event) => event.session_id === met.session.id && /violation/.test(event.kind));
  });
  const { events } = await met.technician.details(met.session.id);
  assert.ok(events.some(({ kind }) => kind === 'violation'));
  await typewriter.close();
  await end(met);
});

test('the screen without a grant: Denied, no picture', async () => {
  const met = await hostile();
  await met.raw('ordered', [0x21, 255, 0]);
  await until('the error', async () => (await met.heard('denied')).some(({ right }) => right === 'desktop_view'));
  await sleep(500);
  assert.deepEqual(await met.heard('screen_update'), []);
  assert.equal(met.applet.count('view_started'), 0);
  await end(met);
});

test('a grant for the view is none for control', async () => {
  const { desktop } = await stack();
  const met = await hostile();
  await met.send({ kind: 'request', request: 1, rights: ['desktop_view'] });
  await met.applet.allow();
  await until('the decision', async () => (await met.heard('decision')).some(({ outcome }) => outcome === 'granted'));
  await met.raw('ordered', [0x21, 255, 0]);
  await until('a picture', async () => (await met.heard('screen_update')).length > 0);
  await desktop.movePointer(700, 650);
  await met.raw('input', RAW_INPUTS[0]);
  await until('the error', async () => (await met.heard('denied')).some(({ right }) => right === 'remote_control'));
  assert.deepEqual(await desktop.pointer(), { x: 700, y: 650 });
  await end(met);
});

test('without a charter nothing can even be asked, and the prompt cannot be answered from afar', async () => {
  const { desktop } = await stack();
  const met = await hostile({ withCharter: false });
  await met.send({ kind: 'request', request: 1, rights: ['desktop_view'] });
  await sleep(1500);
  assert.equal(met.applet.count('prompt_shown'), 0, met.applet.hostLog());
  assert.equal(met.applet.count('view_started'), 0);
  await desktop.key('Pause');
  await met.applet.exit();
  await met.technician.page.context().close();
});

test('a message that breaks the protocol ends the pairing; the end user loses nothing', async () => {
  const met = await hostile();
  await met.raw('ordered', [0xee, 1, 2, 3]);
  await met.applet.logged('breach');
  assert.equal(met.applet.program.code, undefined, 'the applet must survive it');
  await end(met);
});

async function end(met) {
  await met.technician.call('POST', `/sessions/${met.session.id}/end`);
  assert.equal(await met.applet.exit(), 0);
  await met.technician.page.context().close();
}
