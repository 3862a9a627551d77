// The measured desktop: an X server of its own and the program that paints on it (desk.c).
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, start } from './processes.mjs';

export class Desk {
  /**
   * Starts both; `tools` is the folder with the built program, `logs` where words go. The desktop has so many `monitors` side by side, each
   * of `size`. With an `owner` (a user's number) the server is theirs and has a fixed number and a file of keys.
   */
  static async open(tools, logs, { size = [1920, 1080], monitors = 1, owner } = {}) {
    const desk = new Desk();
    desk.size = [size[0] * monitors, size[1]];
    const words = ['-displayfd', '1', '-screen', '0', `${desk.size.join('x')}x24`, '-ac', '-nolisten', 'tcp', '-noreset'];
    const log = join(logs, 'xvfb.log');
    if (owner === undefined) {
      desk.server = start(log, 'Xvfb', words);
    } else {
      const keys = join(tmpdir(), `belay-bench-keys-${process.pid}`);
      writeFileSync(keys, '');
      chmodSync(keys, 0o644);
      let number = 200;
      while (existsSync(`/tmp/.X11-unix/X${number}`)) number += 1;
      desk.server = start(log, 'Xvfb', [`:${number}`, '-auth', keys, ...words], { uid: owner });
    }
    for (let tries = 0; !desk.display; tries += 1) {
      if (tries > 200) throw new Error('the virtual screen did not start');
      await sleep(50);
      const number = /^(\d+)$/m.exec(readFileSync(log, 'utf8'))?.[1];
      if (number) desk.display = `:${number}`;
    }
    for (let number = 0; monitors > 1 && number < monitors; number += 1) {
      const place = `${size[0]}/300x${size[1]}/200+${number * size[0]}+0`;
      const env = { ...process.env, DISPLAY: desk.display };
      execFileSync('xrandr', ['--setmonitor', `M${number + 1}`, place, number === 0 ? 'screen' : 'none'], { env, stdio: 'ignore' });
    }
    desk.events = [];
    desk.painted = new Map();
    desk.waiting = [];
    desk.program = spawn(join(tools, 'desk'), [], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, DISPLAY: desk.display } });
    let rest = '';
    desk.program.stdout.on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop();
      lines.forEach((line) => desk.hear(line));
    });
    await desk.until('ready', 8000);
    return desk;
  }

  hear(line) {
    const words = line.split(' ');
    if (words[0] === 'FR') this.painted.set(Number(words[2]), Number(words[1]) / 1000);
    else if (words[0] === 'EV') this.events.push({ arrived: Number(words[1]) / 1000, painted: Number(words[2]) / 1000 });
    else this.waiting = this.waiting.filter(([prefix, resolve]) => (line.startsWith(prefix) ? (resolve(line), false) : true));
  }

  tell(line) {
    this.program.stdin.write(`${line}\n`);
  }

  until(prefix, milliseconds = 40_000) {
    const heard = new Promise((resolve) => this.waiting.push([prefix, resolve]));
    return Promise.race([heard, sleep(milliseconds).then(() => { throw new Error(`the desktop never said "${prefix}"`); })]);
  }

  async ask(line, answer, milliseconds) {
    const heard = this.until(answer, milliseconds);
    this.tell(line);
    return heard;
  }

  /** On top of every other window, with the keyboard. */
  focus() {
    return this.ask('focus', 'focus', 8000);
  }

  /** Presses Alt and A, as the person at this desktop would, at once. */
  altA() {
    for (const line of ['key 64 1', 'key 38 1', 'key 38 0', 'key 64 0']) this.tell(line);
  }

  close() {
    this.program.kill();
  }
}
