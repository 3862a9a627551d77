// The measured desktop: an X server of its own and the program that paints on it (desk.c).
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, start } from './processes.mjs';

export class Desk {
  /** Starts both; `tools` is the folder with the built program, `logs` where words go. */
  static async open(tools, logs) {
    const desk = new Desk();
    const words = ['-displayfd', '1', '-screen', '0', '1920x1080x24', '-ac', '-nolisten', 'tcp', '-noreset'];
    const log = join(logs, 'xvfb.log');
    desk.server = start(log, 'Xvfb', words);
    for (let tries = 0; !desk.display; tries += 1) {
      if (tries > 200) throw new Error('the virtual screen did not start');
      await sleep(50);
      const number = /^(\d+)$/m.exec(readFileSync(log, 'utf8'))?.[1];
      if (number) desk.display = `:${number}`;
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
