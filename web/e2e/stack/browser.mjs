// Real Chromium. Each person gets a context of their own: own cookies, own language, own downloads.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export const PROGRAM = process.env.BELAY_E2E_CHROMIUM ?? '/usr/bin/chromium';
export const SCREENSHOTS = join(import.meta.dirname, '../screenshots');

export class Chromium {
  /** `more`: further switches. `desktop`: shown there, with its keyboard, and not without a window. `executable` may stand for the real one; `reachable` are hosts besides this computer that may be asked for, names or addresses, with `*` for anything. */
  static async start(more = [], { desktop, executable = PROGRAM, reachable = [] } = {}) {
    const one = new Chromium();
    const exclusions = ['127.0.0.1', 'localhost', ...reachable].map((host) => `EXCLUDE ${host}`);
    one.browser = await chromium.launch({
      executablePath: executable,
      ...(desktop && { headless: false, env: { ...process.env, ...desktop.env } }),
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', `--host-resolver-rules=MAP * ~NOTFOUND , ${exclusions.join(' , ')}`, ...more,
      ],
    });
    mkdirSync(SCREENSHOTS, { recursive: true });
    return one;
  }

  /**
   * A page of a new person. What the page complains about is collected in `page.complaints`. `direct: false` is a browser
   * without WebRTC: whatever it says goes through the gateway.
   */
  async person({ direct = true, ...options } = {}) {
    const context = await this.browser.newContext({
      ignoreHTTPSErrors: true, acceptDownloads: true, locale: 'en-GB', viewport: { width: 1600, height: 1000 }, ...options,
    });
    if (!direct) await context.addInitScript(() => { delete globalThis.RTCPeerConnection; });
    const page = await context.newPage();
    page.complaints = [];
    page.on('pageerror', (error) => page.complaints.push(`page error: ${error.message}`));
    page.on('console', (message) => {
      // What could not be prepared is a warning to people, for it is tried again when it is needed; to the tests it is a fault.
      const unprepared = /could not be prepared|warming up has failed/.test(message.text());
      if (unprepared || (message.type() === 'error' && !/status of 4\d\d/.test(message.text()))) page.complaints.push(message.text());
    });
    page.setDefaultTimeout(15_000);
    return page;
  }

  /** Closes the pages of everybody, but those that were to stay. */
  async forget() {
    await Promise.all(this.browser.contexts().filter((context) => !context.stays).map((context) => context.close()));
  }

  stop() {
    return this.browser.close();
  }
}

export const byId = (page, id) => page.locator(`[data-testid="${id}"]`);

/** Keeps a picture of the page for people to look at. */
export async function look(page, name) {
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), animations: 'disabled' });
}
