// The technician's browser with the page that shows the desktop.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withCommandLine } from './processes.mjs';

const { chromium } = createRequire(new URL('../../../web/package.json', import.meta.url))('playwright-core');

const FLAGS = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--disable-features=Translate', '--ignore-certificate-errors',
];

export class Console {
  /** Of all WebSockets since the page was opened: bytes, and messages. */
  received = 0;
  messages = 0;

  /** `program` may stand for the real browser; `reachable` are hosts besides this computer that may be asked for. */
  static async open(folder, { program = process.env.BELAY_E2E_CHROMIUM ?? '/usr/bin/chromium', reachable = [] } = {}) {
    const one = new Console();
    const profile = one.profile = mkdtempSync(join(folder, 'profile-'));
    const rules = ['MAP * ~NOTFOUND', ...['127.0.0.1', 'localhost', ...reachable].map((host) => `EXCLUDE ${host}`)];
    one.browser = await chromium.launchPersistentContext(profile, {
      executablePath: program, headless: true, ignoreDefaultArgs: ['--headless'],
      args: [...FLAGS, `--host-resolver-rules=${rules.join(' , ')}`], viewport: { width: 1920, height: 1080 }, ignoreHTTPSErrors: true, locale: 'en-GB',
    });
    one.processes = withCommandLine(profile);
    one.page = one.browser.pages()[0] ?? await one.browser.newPage();
    // Also those of the page's workers. The browser tells it of every socket, whether somebody counts or not.
    one.page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => { one.received += payload.length; one.messages += 1; }));
    await one.page.addInitScript({ path: fileURLToPath(new URL('page.js', import.meta.url)) });
    return one;
  }

  /** Names the element that shows the desktop. */
  look(surface) {
    return this.page.evaluate((css) => { window.__bench.surface = css; }, surface);
  }

  /** Where a pixel of the desktop is in the page; the desktop has this size. */
  async at(x, y, [width, height] = [1920, 1080]) {
    const box = await this.page.evaluate(() => {
      const box = window.__bench.element().getBoundingClientRect();
      return { x: box.x, y: box.y, width: box.width, height: box.height };
    });
    return [box.x + x * box.width / width, box.y + y * box.height / height];
  }

  async close() {
    await this.browser.close();
    rmSync(this.profile, { recursive: true, force: true });
  }
}
