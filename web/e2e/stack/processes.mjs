// Programs the tests start: each leads a process group of its own, logs into a file, and is gone when the tests are.
import { spawn, execFile } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const running = new Set();

export class Program {
  /** Starts `command`; its output goes into the file `log`. Variables that are `undefined` in `env` are taken away. */
  constructor(name, command, args, { log, env = {}, cwd } = {}) {
    this.name = name;
    this.log = log;
    const out = log ? openSync(log, 'a') : 'ignore';
    this.process = spawn(command, args, { cwd, env: environment(env), stdio: ['ignore', out, out], detached: true });
    if (log) closeSync(out);
    running.add(this);
    this.code = undefined;
    this.ended = new Promise((resolve) => {
      this.process.once('error', (error) => { this.failure = error; resolve(127); });
      this.process.once('exit', (code, signal) => resolve(code ?? signal));
    }).then((code) => { this.code = code; running.delete(this); return code; });
  }

  get pid() {
    return this.process.pid;
  }

  written() {
    return this.log ? readFileSync(this.log, 'utf8') : '';
  }

  /** Resolves with the exit code (or the signal's name), or throws after `milliseconds`. */
  async exit(milliseconds = 15_000) {
    const code = await Promise.race([this.ended, sleep(milliseconds, undefined, { ref: false })]);
    if (this.code === undefined) throw new Error(`${this.name} still runs after ${milliseconds} ms; its log:\n${this.written()}`);
    return code;
  }

  signal(signal) {
    try { process.kill(-this.pid, signal); } catch (error) { if (error.code !== 'ESRCH') throw error; }
  }

  async stop() {
    if (this.code !== undefined || this.failure) return;
    this.signal('SIGTERM');
    await Promise.race([this.ended, sleep(4000, undefined, { ref: false })]);
    if (this.code === undefined) { this.signal('SIGKILL'); await this.ended; }
  }
}

/** Stops whatever still runs. */
export async function stopAll() {
  await Promise.all([...running].map((program) => program.stop()));
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => { void stopAll().then(() => process.exit(130)); });
}
process.once('exit', () => { for (const program of running) program.signal('SIGKILL'); });

/** Runs a program to its end; resolves with {code, out, err}. `input` goes to its standard input. */
export function run(command, args, { env = {}, input, encoding = 'utf8', timeout = 30_000 } = {}) {
  return new Promise((resolve, reject) => {
    const options = { env: environment(env), encoding, timeout, maxBuffer: 64 << 20 };
    const child = execFile(command, args, options, (error, out, err) => {
      if (error && typeof error.code !== 'number') reject(new Error(`${command} ${args.join(' ')}: ${error.message}`));
      else resolve({ code: error ? error.code : 0, out, err });
    });
    // A program that never reads its input may be gone before it is written.
    child.stdin?.on('error', (error) => { if (error.code !== 'EPIPE') reject(error); });
    child.stdin?.end(input ?? '');
  });
}

/** As `run`, but a failure is an error, and only the standard output comes back. */
export async function must(command, args, options) {
  const { code, out, err } = await run(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${err}`);
  return out;
}

function environment(changes) {
  const all = { ...process.env, ...changes };
  for (const name of Object.keys(all)) if (all[name] === undefined || (name.startsWith('BELAY_') && !(name in changes))) delete all[name];
  return all;
}

/** Looks again until `look` answers something true; throws with `what` after `milliseconds`. */
export async function until(what, look, milliseconds = 10_000, every = 60) {
  const end = Date.now() + milliseconds;
  let last;
  for (;;) {
    try {
      const found = await look();
      if (found) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${milliseconds} ms`, { cause: last });
    await sleep(every);
  }
}

export { sleep };
