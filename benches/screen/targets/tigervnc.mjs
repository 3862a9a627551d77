// The peer to beat: TigerVNC's x0vncserver, which shows an existing desktop, with websockify and noVNC, all as Debian ships them.
import { join } from 'node:path';
import { freePort } from '../parts/ports.mjs';
import { portOpen, start } from '../parts/processes.mjs';

const CONNECT = '#noVNC_connect_button';

export const surface = '#noVNC_container canvas';

export async function prepare(bench) {
  const [screen, web] = [await freePort(), await freePort()];
  const words = ['-display', bench.desk.display, '-rfbport', String(screen), '-localhost', '-SecurityTypes', 'None'];
  const agent = start(join(bench.folder, 'x0vncserver.log'), 'X0tigervnc', words);
  await portOpen(screen);
  const server = start(join(bench.folder, 'websockify.log'), 'websockify', ['--web', '/usr/share/novnc', `127.0.0.1:${web}`, `127.0.0.1:${screen}`]);
  await portOpen(web);
  Object.assign(bench.roles, { agent: [agent.pid], server: [server.pid] });
  bench.web = web;
}

export async function open({ console: { page }, web }) {
  await page.goto(`http://127.0.0.1:${web}/vnc.html`);
  await page.waitForSelector(CONNECT, { state: 'visible' });
  await page.waitForTimeout(800);
}

export async function connect({ console: { page } }) {
  const since = Date.now();
  await page.click(CONNECT);
  return { since };
}

export async function disconnect({ console: { page } }) {
  await page.evaluate(() => document.getElementById('noVNC_disconnect_button').click());
  await page.waitForSelector(CONNECT, { state: 'visible' });
}

export async function control() { /* control comes with the connection */ }
