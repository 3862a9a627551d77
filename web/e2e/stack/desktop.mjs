// The end user's desktop: a virtual X screen with a window manager, and eyes and hands of its own on it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program, must, run, sleep, until } from './processes.mjs';

export const WIDTH = 1920;
export const HEIGHT = 1080;

export class Desktop {
  static async start(folder) {
    const desktop = new Desktop();
    desktop.folder = folder;
    const log = join(folder, 'xvfb.log');
    // The screen chooses a free display by itself and writes its number.
    const words = ['-displayfd', '1', '-screen', '0', `${WIDTH}x${HEIGHT}x24`, '-nolisten', 'tcp', '-noreset'];
    desktop.screen = new Program('Xvfb', 'Xvfb', words, { log });
    const number = await until('the virtual screen', () => {
      if (desktop.screen.code !== undefined) throw new Error(desktop.screen.written());
      return /^\d+$/m.exec(desktop.screen.written())?.[0];
    });
    desktop.display = `:${number}`;
    await desktop.layout('us');
    desktop.manager = desktop.start('openbox');
    await until('the window manager', async () => (await desktop.tool('xprop', ['-root', '_NET_SUPPORTING_WM_CHECK'])).includes('window id'));
    return desktop;
  }

  get env() {
    return { DISPLAY: this.display, WAYLAND_DISPLAY: undefined, LC_ALL: undefined, LANG: 'C.UTF-8' };
  }

  /** Starts a program on this desktop. */
  start(command, args = [], env = {}) {
    const log = join(this.folder, `${command.split('/').pop()}-${Date.now()}-${Math.floor(Math.random() * 1e6)}.log`);
    return new Program(command, command, args, { log, env: { ...this.env, ...env } });
  }

  /** Runs a program on this desktop to its end and returns what it wrote. */
  tool(command, args, options = {}) {
    return must(command, args, { ...options, env: this.env });
  }

  layout(name, variant = '') {
    return this.tool('setxkbmap', ['-layout', name, '-variant', variant]);
  }

  /** Ids of the visible windows whose title matches `pattern`. */
  async windows(pattern) {
    const { out } = await run('xdotool', ['search', '--onlyvisible', '--name', pattern], { env: this.env });
    return out.split('\n').filter(Boolean);
  }

  window(pattern, milliseconds) {
    return until(`a window named ${pattern}`, async () => (await this.windows(pattern))[0], milliseconds);
  }

  async activeTitle() {
    const { out } = await run('xdotool', ['getactivewindow', 'getwindowname'], { env: this.env });
    return out.trim();
  }

  async activate(window) {
    await this.tool('xdotool', ['windowactivate', '--sync', window]);
    await sleep(80);
  }

  /** {x, y, width, height} of a window, in pixels of the screen. */
  async place(window) {
    const text = await this.tool('xwininfo', ['-id', window]);
    const value = (name) => Number(new RegExp(`${name}:\\s+(-?\\d+)`).exec(text)[1]);
    return { x: value('Absolute upper-left X'), y: value('Absolute upper-left Y'), width: value('Width'), height: value('Height') };
  }

  /** Presses real keys on the desktop, as its owner would: `alt+a`, `Escape`, `Pause`. */
  key(...combinations) {
    return this.tool('xdotool', ['key', '--clearmodifiers', '--delay', '30', ...combinations]);
  }

  type(text) {
    return this.tool('xdotool', ['type', '--delay', '25', text]);
  }

  async click(x, y, button = 1) {
    await this.tool('xdotool', ['mousemove', '--sync', String(x), String(y), 'click', String(button)]);
  }

  async pointer() {
    const text = await this.tool('xdotool', ['getmouselocation', '--shell']);
    return { x: Number(/^X=(\d+)$/m.exec(text)[1]), y: Number(/^Y=(\d+)$/m.exec(text)[1]) };
  }

  async movePointer(x, y) {
    await this.tool('xdotool', ['mousemove', '--sync', String(x), String(y)]);
  }

  /** The whole screen as it is now: WIDTH × HEIGHT × 3 bytes of RGB. */
  async pixels() {
    const rgb = await this.tool('import', ['-silent', '-window', 'root', '-depth', '8', 'rgb:-'], { encoding: 'buffer' });
    if (rgb.length !== WIDTH * HEIGHT * 3) throw new Error(`a picture of ${rgb.length} bytes`);
    return rgb;
  }

  async picture(file) {
    await this.tool('import', ['-silent', '-window', 'root', file]);
  }

  async stop() {
    await this.manager?.stop();
    await this.screen?.stop();
  }
}

export const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** A terminal on the desktop that writes the lines typed into it to a file. */
export class Typewriter {
  static async open(desktop) {
    const one = new Typewriter();
    one.desktop = desktop;
    one.title = `typewriter ${Date.now()}`;
    one.file = join(desktop.folder, `typed-${Date.now()}`);
    const words = ['-u8', '-geometry', '80x12+40+560', '-title', one.title, '-e', 'sh', '-c', 'exec cat > "$0"', one.file];
    one.program = desktop.start('xterm', words);
    one.window = await desktop.window(one.title);
    await desktop.activate(one.window);
    return one;
  }

  text() {
    try { return readFileSync(this.file, 'utf8'); } catch { return ''; }
  }

  close() {
    return this.program.stop();
  }
}

/** A window that writes down each event that arrives at it (xev), with coordinates of the screen. */
export class Witness {
  static async open(desktop, { x = 900, y = 120, width = 700, height = 380 } = {}) {
    const one = new Witness();
    one.desktop = desktop;
    one.place = { x, y, width, height };
    const title = `witness ${Date.now()}`;
    const words = ['-oL', 'xev', '-name', title, '-geometry', `${width}x${height}+${x}+${y}`, '-event', 'mouse', '-event', 'button', '-event', 'keyboard'];
    one.program = desktop.start('stdbuf', words);
    one.window = await desktop.window(title);
    await desktop.activate(one.window);
    await sleep(200);
    one.place = await desktop.place(one.window);
    return one;
  }

  /** All events so far: {kind, time, x, y, state, button, keysym}; the time in milliseconds of the X server. */
  events() {
    const found = [];
    for (const block of this.program.written().split(/\n\s*\n/)) {
      const kind = /^(\w+) event/m.exec(block)?.[1];
      if (!kind) continue;
      const root = /root:\((-?\d+),(-?\d+)\)/.exec(block);
      found.push({
        kind,
        time: Number(/time (\d+)/.exec(block)?.[1] ?? 0),
        x: root && Number(root[1]),
        y: root && Number(root[2]),
        state: Number(/state (0x[0-9a-f]+)/.exec(block)?.[1] ?? 0),
        button: Number(/button (\d+)/.exec(block)?.[1] ?? 0),
        keysym: /keysym 0x[0-9a-f]+, (\w+)/.exec(block)?.[1],
      });
    }
    return found;
  }

  close() {
    return this.program.stop();
  }
}
