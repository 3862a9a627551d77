// The real server with a data directory of its own, and the accounts on it, all through its command line.
import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { Program, run, until } from './processes.mjs';

const ROOT = resolve(import.meta.dirname, '../../..');
const TARGET = resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target');
export const BELAY = join(TARGET, 'release/belay');
export const APPLET = join(TARGET, 'release/belay-applet');

export class Server {
  /** Settings in `folder`, nothing started. `extra` is more TOML (top keys first). */
  static async prepare(folder, { top = '', extra = '' } = {}) {
    const server = new Server();
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    server.folder = folder;
    server.port = await freePort();
    server.url = `https://localhost:${server.port}`;
    server.data = join(folder, 'data');
    server.config = join(folder, 'belay.toml');
    server.write({ top, extra });
    return server;
  }

  write({ top = '', extra = '' } = {}) {
    const lines = [`listen = "127.0.0.1:${this.port}"`, `data_dir = "${this.data}"`, top, '[tls]', 'self_signed = true', '[applets]', `linux_x86_64 = "${APPLET}"`, extra];
    writeFileSync(this.config, `${lines.join('\n')}\n`);
  }

  /** Makes an account by the command line; answers what the command printed as JSON. */
  async account({ name, id, owner, password }) {
    const words = ['account', 'create', '--config', this.config, '--name', name, '--owner', id, '--owner-name', owner, '--password-stdin', '--json'];
    const { code, out, err } = await run(BELAY, words, { input: `${password}\n` });
    if (code !== 0) throw new Error(`belay account create: ${err}`);
    return JSON.parse(out);
  }

  /** Starts serving, all roles or some. `wrapper` is a command line in front of the server's own, as `['faketime', …]`. */
  async start({ wrapper = [], env = {}, roles = [] } = {}) {
    const [command, ...words] = [...wrapper, BELAY, 'serve', '--config', this.config, ...roles.flatMap((role) => ['--role', role])];
    this.log = join(this.folder, `server-${Date.now()}.log`);
    this.program = new Program('belay serve', command, words, { log: this.log, env });
    await until('the server', async () => {
      if (this.program.code !== undefined) throw new Error(`the server ended: ${this.program.written()}`);
      const { code } = await run('curl', ['-sk', '-o', '/dev/null', `${this.url}/`]);
      return code === 0;
    });
  }

  /** `belay serve` that is expected to refuse to start: {code, err}. */
  async refuses(env = {}) {
    const { code, out, err } = await run(BELAY, ['serve', '--config', this.config], { env, timeout: 15_000 });
    return { code, text: `${err}${out}` };
  }

  stop() {
    return this.program.stop();
  }

  /** Dies without a word, as in a power cut. */
  async kill() {
    this.program.signal('SIGKILL');
    await this.program.ended;
  }

  /** Every file of the data directory with its bytes. */
  files() {
    const walk = (folder) => readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? walk(path) : entry.isFile() ? [{ path, bytes: readFileSync(path) }] : [];
    });
    return walk(this.data);
  }
}

/** Where Linux by default takes no ports from for connections that go out: such a one could come in between. */
const PORTS = [20_000, 32_000];
const given = new Set();

/** A port on which nobody listens, another one each time. */
export async function freePort() {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(...PORTS);
    const free = await new Promise((resolveFree) => {
      const probe = createServer();
      probe.once('error', () => resolveFree(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolveFree(true)));
    });
    if (free && !given.has(port)) {
      given.add(port);
      return port;
    }
  }
  throw new Error('no port is free');
}
