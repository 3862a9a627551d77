// MeshCentral: its server and its agent for Linux, both from the npm package `meshcentral`, and its page in the browser.
//
// The agent shows the desktop of the person who is logged in, and asks the login manager who that is. Where nothing manages logins (in a
// container) a stand-in on the agent's PATH answers: the owner of the measured X server, which must not be root and must be started with
// its number and an -auth file, for the agent finds it in the list of processes.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { portOpen, say, sleep, start } from '../parts/processes.mjs';
import { freePort } from '../parts/ports.mjs';

const PACKAGE = 'meshcentral@1.1.55';
const NOBODY = 65534;
const TESS = { name: 'tess', password: 'Bench-1234' };

export const surface = '#Desk';

/** Who owns the X server. */
export const owner = process.getuid() === 0 ? NOBODY : process.getuid();

export async function prepare(bench) {
  const home = join(bench.tools, 'meshcentral');
  const program = join(home, 'node_modules/meshcentral/meshcentral.js');
  if (!existsSync(program)) {
    say('installing MeshCentral, some hundred megabytes');
    mkdirSync(home, { recursive: true });
    execFileSync('npm', ['install', '--prefix', home, '--omit=dev', '--no-save', PACKAGE], { stdio: ['ignore', 'inherit', 'inherit'] });
  }
  const port = bench.web = await freePort();
  const data = join(bench.folder, 'mesh-data');
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'config.json'), JSON.stringify({
    settings: { cert: '127.0.0.1', WANonly: true, port, redirPort: 0, mpsPort: 0, selfUpdate: false, npmInstall: false },
    domains: { '': { title: 'bench', newAccounts: false, agentTimeStampServer: false } },
  }));
  const words = [program, '--datapath', data, '--filespath', join(bench.folder, 'mesh-files')];
  const node = (more) => execFileSync('node', [...words, ...more], { timeout: 120_000, stdio: ['ignore', 'pipe', 'pipe'] });
  node(['--createaccount', TESS.name, '--pass', TESS.password, '--email', 'tess@example.invalid']);
  node(['--adminaccount', TESS.name]);
  const server = start(join(bench.folder, 'meshcentral.log'), 'node', words);
  await portOpen(port, 120_000);
  const control = (...more) => execFileSync('node', [join(home, 'node_modules/meshcentral/meshctrl.js'), ...more,
    '--url', `wss://127.0.0.1:${port}`, '--loginuser', TESS.name, '--loginpass', TESS.password],
  { timeout: 30_000, env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0' }, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  const group = /mesh\/\/(\S+)/.exec(control('AddDeviceGroup', '--name', 'bench', '--features', '0', '--consent', '0'))[1];
  const agent = agentFolder(bench, home);
  execFileSync('curl', ['-sk', '-o', join(agent, 'meshagent.msh'), `https://127.0.0.1:${port}/meshsettings?id=${group}`]);
  const env = { DISPLAY: bench.desk.display, PATH: `${agent}:${process.env.PATH}`, LC_ALL: 'C.UTF-8' };
  const running = start(join(bench.folder, 'meshagent.log'), join(agent, 'meshagent'), ['connect'], { env, cwd: agent });
  Object.assign(bench.roles, { agent: [running.pid], server: [server.pid] });
  for (let tries = 0; !/"\S+", "/.test(control('ListDevices')); tries += 1) {
    if (tries > 20) throw new Error('the agent did not come');
    await sleep(1000);
  }
}

function agentFolder(bench, home) {
  const folder = join(bench.folder, 'mesh-agent');
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(home, 'node_modules/meshcentral/agents/meshagent_x86-64'), join(folder, 'meshagent'));
  const logins = ['#!/bin/sh', 'case "$1" in', `list-sessions) echo "1 ${owner} owner seat0 tty7" ;;`, 'show-session) echo "State=active" ;;', 'esac', ''];
  writeFileSync(join(folder, 'loginctl'), logins.join('\n'));
  for (const file of ['meshagent', 'loginctl']) chmodSync(join(folder, file), 0o755);
  return folder;
}

export async function open({ console: { page }, web }) {
  await page.goto(`https://127.0.0.1:${web}/`);
  await page.fill('input[name=username]', TESS.name);
  await page.fill('input[name=password]', TESS.password);
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => globalThis.nodes?.length === 1);
  await page.evaluate(() => globalThis.gotoDevice(globalThis.nodes[0]._id, 11));
  await page.waitForTimeout(1500);
}

export async function connect({ console: { page } }) {
  const since = Date.now();
  await page.evaluate(() => globalThis.connectDesktop(null, 1));
  return { since };
}

export async function disconnect({ console: { page } }) {
  await page.evaluate(() => globalThis.connectDesktop(null, 0));
  await page.waitForFunction(() => document.getElementById('deskstatus').innerText.startsWith('Disconnected'));
  // The picture stays in the canvas; the next one must not be mistaken for it.
  await page.evaluate(() => { const canvas = document.getElementById('Desk'); canvas.width = 640; canvas.height = 480; });
}

export async function control() { /* control comes with the connection */ }
