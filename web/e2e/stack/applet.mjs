// The downloaded applet on the desktop: its window, its prompts (answered by real keys), its host log, its end.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, sleep, until } from './processes.mjs';

/** Before this time a prompt takes no answer. */
export const SAFETY_DELAY_MS = 3000;

const started = new Set();

export class Applet {
  /** Stops those that still run: a test that failed has left them, with the panic key in their hands. */
  static async stopAll() {
    await Promise.all([...started].map((applet) => applet.program.stop()));
    started.clear();
  }

  constructor(desktop, file, { language = 'en_GB.UTF-8', env = {} } = {}) {
    this.desktop = desktop;
    this.file = file;
    this.prompts = 0;
    this.state = `${file}-state`;
    mkdirSync(this.state, { recursive: true });
    this.program = desktop.start(file, [], { XDG_STATE_HOME: this.state, LANG: language, LANGUAGE: undefined, ...env });
    started.add(this);
  }

  get fileExists() {
    return existsSync(this.file);
  }

  hostLog() {
    try { return readFileSync(join(this.state, 'belay/host.log'), 'utf8'); } catch { return ''; }
  }

  /** {id: title} of its visible windows. */
  async windows() {
    const { out } = await run('xdotool', ['search', '--all', '--onlyvisible', '--pid', String(this.program.pid), '--name', '^Belay'], { env: this.desktop.env });
    const found = {};
    for (const id of out.split('\n').filter(Boolean)) {
      const title = await run('xdotool', ['getwindowname', id], { env: this.desktop.env });
      if (title.code === 0) found[id] = title.out.trim();
    }
    return found;
  }

  /** Its main window: neither the bar nor a prompt. */
  window(milliseconds = 15_000) {
    return until('the window of the applet', async () => {
      const main = Object.entries(await this.windows()).find(([, title]) => !/what is shared|asks for your permission/i.test(title));
      return main?.[0];
    }, milliseconds);
  }

  /** Closes its window as a person who has read it does; without a window nothing is done. */
  async dismiss() {
    const [window] = Object.keys(await this.windows());
    if (!window) return;
    await run('xdotool', ['windowactivate', '--sync', window], { env: this.desktop.env, timeout: 3000 }).catch(() => undefined);
    await run('xdotool', ['key', 'Escape'], { env: this.desktop.env });
  }

  /** How often the host log has this event. */
  count(event) {
    return this.hostLog().split('\n').filter((line) => new RegExp(`\\bevent=${event}\\b`).test(line)).length;
  }

  async logged(event, atLeast = 1, milliseconds = 10_000) {
    await until(`"${event}" in the host log`, () => this.count(event) >= atLeast, milliseconds);
  }

  /** Waits for a prompt that has not been waited for yet: logged, and in front with the focus. */
  async prompt(milliseconds = 10_000) {
    await until('the prompt', () => {
      if (this.program.code !== undefined) throw new Error(`the applet ended with ${this.program.code}: ${this.program.written()}`);
      return this.count('prompt_shown') > this.prompts;
    }, milliseconds);
    this.prompts = this.count('prompt_shown');
    await until('the focus of the prompt', async () => /^Belay/.test(await this.desktop.activeTitle()));
  }

  /** Allows, as a careful person does: after the safety delay. */
  async allow() {
    await this.prompt();
    await sleep(SAFETY_DELAY_MS + 400);
    await this.desktop.key('alt+a');
  }

  async refuse() {
    await this.prompt();
    await sleep(SAFETY_DELAY_MS + 400);
    await this.desktop.key('Escape');
  }

  /** Its exit code; its last window is closed if it still tells that all is over. */
  async exit(milliseconds = 15_000) {
    const end = Date.now() + milliseconds;
    await until('the last word of the applet', () => this.program.code !== undefined || this.count('ended') > 0, milliseconds).catch(() => undefined);
    while (this.program.code === undefined && Date.now() < end) {
      await sleep(300);
      if (this.program.code === undefined) await this.dismiss();
    }
    return this.program.exit(100);
  }

  /** The exit code of an applet that is not let in. */
  async refused(milliseconds = 20_000) {
    const end = Date.now() + milliseconds;
    await sleep(1200);
    while (this.program.code === undefined && Date.now() < end) {
      await this.dismiss();
      await sleep(500);
    }
    return this.program.exit(100);
  }
}
