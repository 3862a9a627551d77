// The real server, browser and applet of the end-to-end tests (web/e2e), each on its own host of a lab.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Applet } from '../../web/e2e/stack/applet.mjs';
import { Chromium, PROGRAM } from '../../web/e2e/stack/browser.mjs';
import { EndUser, Technician } from '../../web/e2e/stack/people.mjs';
import { Program, must, run, until } from '../../web/e2e/stack/processes.mjs';
import { APPLET, BELAY, Server } from '../../web/e2e/stack/server.mjs';

export const TESS = { name: 'Example GmbH', id: 'tess@example.com', owner: 'Tess Example', password: 'blue-Kettle-41-window' };
const PORT = 443;
const GENEROUS = '[limits]\npin_per_address = 1000\npin_in_all = 1000\nsign_in_per_address = 1000';

/** The server on its host, at port 443, with a certificate for its address. */
export class LabServer extends Server {
  static async open(lab) {
    const server = new LabServer();
    server.lab = lab;
    server.folder = join(lab.folder, 'server');
    server.data = join(server.folder, 'data');
    server.config = join(server.folder, 'belay.toml');
    server.url = `https://${lab.host}`;
    mkdirSync(server.folder, { recursive: true, mode: 0o700 });
    const [key, certificate] = [join(server.folder, 'key.pem'), join(server.folder, 'certificate.pem')];
    await must('openssl', [
      'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=Belay in a test', '-keyout', key, '-out', certificate,
      '-addext', `subjectAltName=IP:${lab.addresses.server}`, '-addext', 'basicConstraints=critical,CA:FALSE',
    ]);
    writeFileSync(server.config, `${[
      `listen = "${lab.host}:${PORT}"`, `public_url = "${server.url}"`, `data_dir = "${server.data}"`,
      '[tls]', `certificate = "${certificate}"`, `key = "${key}"`, `anchor = "${certificate}"`, '[applets]', `linux_x86_64 = "${APPLET}"`, GENEROUS,
    ].join('\n')}\n`);
    await server.account(TESS);
    server.log = join(server.folder, 'server.log');
    const [command, ...words] = [...lab.on('server'), BELAY, 'serve', '--config', server.config];
    server.program = new Program('belay serve', command, words, { log: server.log });
    await until('the server', async () => {
      if (server.program.code !== undefined) throw new Error(`the server ended: ${server.program.written()}`);
      const [first, ...rest] = [...lab.on('server'), 'curl', '-gsk', '-o', '/dev/null', server.url];
      return (await run(first, rest)).code === 0;
    });
    return server;
  }
}

/** Technician, signed in, in a browser on the technician's host; `chromium` has to be stopped in the end. */
export async function technicianIn(lab, server, { browserTurn = true } = {}) {
  const chromium = await Chromium.start([], { executable: lab.script('technician', PROGRAM), reachable: lab.anywhere });
  const person = await chromium.person();
  if (!browserTurn) await person.addInitScript(withoutTurn);
  const technician = new Technician(person, server);
  // A browser that starts while its host's interfaces come up stops what it loads, and may simply try again.
  await until('the sign-in', () => technician.signIn(TESS).then(() => true, (error) => {
    if (/ERR_NETWORK_CHANGED/.test(error.message)) return false;
    throw error;
  }));
  return { chromium, technician };
}

/** In the page: peer connections are told of STUN servers only. */
function withoutTurn() {
  const Real = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Real {
    constructor(how) {
      const stun = (how?.iceServers ?? []).map((server) => ({ ...server, urls: [server.urls].flat().filter((url) => url.startsWith('stun:')) }));
      super({ ...how, iceServers: stun.filter(({ urls }) => urls.length > 0) });
    }
  };
}

/** A new session and the applet for it, downloaded and not yet started: {session, file}. */
export async function invite({ lab, server, chromium, technician }, name = 'Erika Example') {
  const session = await technician.newSession();
  await technician.closeInvitation();
  const user = new EndUser(await chromium.person(), server);
  await user.joinByPin(session.pin, name);
  const { file } = await user.download(lab.folder);
  await user.page.context().close();
  return { session, file };
}

/** Starts the applet on the end user's host, with its windows on `desktop`. */
export function appletIn(lab, desktop, file) {
  const there = Object.create(desktop);
  there.start = (command, args, env) => {
    const [first, ...rest] = [...lab.on('end_user'), command, ...args];
    return desktop.start(first, rest, env);
  };
  return new Applet(there, file);
}
