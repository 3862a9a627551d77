// The one stack all end-to-end tests share: server, two accounts, desktop, Chromium. Started when first asked for.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach } from 'node:test';
import { Applet } from './stack/applet.mjs';
import { Chromium, look } from './stack/browser.mjs';
import { Desktop } from './stack/desktop.mjs';
import { EndUser, Technician } from './stack/people.mjs';
import { stopAll } from './stack/processes.mjs';
import { Server } from './stack/server.mjs';

export const TESS = { name: 'Example GmbH', id: 'tess@example.com', owner: 'Tess Example', password: 'blue-Kettle-41-window' };
export const FINN = { name: 'Muster AG', id: 'finn@example.org', owner: 'Finn Muster', password: 'seven-Candles-on-ice' };

/** Limits that tests from one address do not run into; the tests of the limits have a server of their own. */
const GENEROUS = '[limits]\npin_per_address = 1000\npin_in_all = 1000\nsign_in_per_address = 1000';

let starting;
let folder;
let chromium;

// Registered here, at the top, so that it runs after the last test of all, not after the first that needed the stack.
after(async () => {
  await chromium?.stop();
  await stopAll();
  if (folder && !process.env.BELAY_E2E_KEEP) rmSync(folder, { recursive: true, force: true });
});

// A test that failed leaves its session open and its server perhaps dead; the next one must not fail for that.
afterEach(async (t) => {
  if (t.passed || !chromium) return;
  await Applet.stopAll();
  await chromium.forget();
  const { server } = await stack();
  if (server.program.code !== undefined) await server.start();
});

export function stack() {
  starting ??= start();
  return starting;
}

async function start() {
  folder = mkdtempSync(join(tmpdir(), 'belay-e2e-'));
  const server = await Server.prepare(join(folder, 'server'), { extra: GENEROUS });
  const accounts = { tess: await server.account(TESS), finn: await server.account(FINN) };
  await server.start();
  const desktop = await Desktop.start(folder);
  chromium = await Chromium.start();
  return { folder, server, accounts, desktop, chromium };
}

/** Tess, signed in, in a browser of her own. */
export async function tess(options) {
  const { chromium, server } = await stack();
  const technician = new Technician(await chromium.person(options), server);
  await technician.signIn(TESS);
  return technician;
}

export async function endUser(options) {
  const { chromium, server } = await stack();
  return new EndUser(await chromium.person(options), server);
}

/** A session with an applet that waits: {technician, session, applet}. */
export async function waiting({ name = 'Erika Example', language, technician } = {}) {
  const { desktop, folder } = await stack();
  technician ??= await tess();
  const session = await technician.newSession();
  await technician.closeInvitation();
  const user = await endUser();
  await user.joinByPin(session.pin, name);
  const { file } = await user.download(folder);
  await user.page.context().close();
  const applet = new Applet(desktop, file, { language });
  await technician.waitForState(session.id, 'waiting');
  return { technician, session, applet };
}

/** The same, picked up. */
export async function active(options) {
  const met = await waiting(options);
  await met.technician.pickUp(met.session.id);
  return met;
}

/** The same, with the screen shown. */
export async function viewing(options) {
  const met = await active(options);
  await met.technician.at('tool-view').click();
  await met.applet.allow();
  await met.technician.screen().waitFor();
  return met;
}

/** The same, with remote control. */
export async function controlling(options) {
  const met = await viewing(options);
  await met.technician.at('tool-control').click();
  await met.applet.allow();
  await granted(met.technician, 'tool-control');
  return met;
}

/** Waits until a tool's button says that the end user has granted it. */
export function granted(technician, tool) {
  return technician.page.locator(`[data-testid="${tool}"][aria-pressed="true"]`).first().waitFor();
}

export function notGranted(technician, tool) {
  return technician.page.locator(`[data-testid="${tool}"]:not([aria-pressed="true"])`).first().waitFor();
}

/** Ends a met session from the console and waits for the applet's end. */
export async function finish({ technician, applet, session }) {
  await technician.call('POST', `/sessions/${session.id}/end`);
  await applet.exit();
  await technician.page.context().close();
}

export { look };
