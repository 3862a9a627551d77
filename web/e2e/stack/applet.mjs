// The downloaded applet on the desktop: its window, its prompts (answered by real keys), its host log, its end.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, until } from './processes.mjs';

/** Before this time a prompt takes no answer. */
export const SAFETY_DELAY_MS = 3000;

export class Applet {
  constructor(desktop, file, { language = 'en_GB.UTF-8', env = {} } = {}) {
    this.desktop = desktop;
    this.file = file;
    this.prompts = 0;
    this.state = `${file}-state`;
    mkdirSync(this.state, { recursive: true });
    this.program = desktop.start(file, [], { XDG_STATE_HOME: this.state, LANG: language, LANGUAGE: undefined, ...env });
  }

  get fileExists() {
    return existsSync(this.file);
  }

  hostLog() {
    try { return readFileSync(join(this.state, 'belay/host.log'), 'utf8'); } catch { return ''; }
  }

  async window() {
    return this.desktop.window('^Belay', 15_000);
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

  exit(milliseconds) {
    return this.program.exit(milliseconds);
  }
}
