// What a technician and an end user do in their browsers, by the stable handles of docs/operating/handles.md.
import { createHash } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { byId } from './browser.mjs';
import { until } from './processes.mjs';

/** The technician at the console. */
export class Technician {
  constructor(page, server) {
    this.page = page;
    this.server = server;
  }

  at(id) {
    return byId(this.page, id);
  }

  async open(path = '/console/') {
    await this.page.goto(this.server.url + path);
  }

  async trySignIn(id, password) {
    await this.at('sign-in-id').fill(id);
    await this.at('sign-in-password').fill(password);
    await this.at('sign-in-submit').click();
  }

  async signIn({ id, password }) {
    await this.open();
    await this.trySignIn(id, password);
    await this.at('new-session').first().waitFor();
  }

  /** {id, pin, link} of a new session; `pin` has digits only. */
  async newSession() {
    const answered = this.page.waitForResponse((answer) => answer.url().endsWith('/api/v1/sessions') && answer.request().method() === 'POST');
    await this.at('new-session').first().click();
    const { session } = await (await answered).json();
    const pin = (await shown(this.at('session-pin'))).replace(/\D/g, '');
    const link = (await shown(this.at('session-link'))).trim();
    return { id: session.id, pin, link };
  }

  /** Closes whatever shows PIN and link. */
  async closeInvitation() {
    await this.at('invitation-done').click();
  }

  row(id) {
    return this.page.locator(`[data-testid="session-row"][data-session-id="${id}"]`).first();
  }

  waitForState(id, state, timeout = 15_000) {
    return this.page.locator(`[data-testid="session-row"][data-session-id="${id}"][data-session-state="${state}"]`).first().waitFor({ timeout });
  }

  async pickUp(id) {
    await this.row(id).locator('[data-testid="pick-up"]').click();
    await this.at('chat-input').waitFor();
  }

  async say(text) {
    await this.at('chat-input').fill(text);
    await this.at('chat-send').click();
  }

  waitForChat(text, timeout = 10_000) {
    return this.at('chat-log').getByText(text).first().waitFor({ timeout });
  }

  async end() {
    await this.at('end-session').click();
    await this.at('end-session-confirm').click();
  }

  screen() {
    return this.at('screen');
  }

  /** Where the screen's pixel (x, y) lies in the page. */
  async point(x, y) {
    const box = await this.screen().evaluate((canvas) => {
      const place = canvas.getBoundingClientRect();
      return { x: place.x, y: place.y, width: place.width, height: place.height, across: canvas.width, down: canvas.height };
    });
    return [box.x + (x + 0.5) * box.width / box.across, box.y + (y + 0.5) * box.height / box.down];
  }

  async moveTo(x, y, options) {
    await this.page.mouse.move(...await this.point(x, y), options);
  }

  async clickAt(x, y, options) {
    await this.page.mouse.click(...await this.point(x, y), options);
  }

  /** The canvas as it is now: WIDTH × HEIGHT × 3 bytes of RGB. */
  async pixels() {
    const text = await this.screen().evaluate((canvas) => {
      const copy = document.createElement('canvas');
      copy.width = canvas.width;
      copy.height = canvas.height;
      const context = copy.getContext('2d');
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, copy.width, copy.height);
      const rgb = new Uint8Array(copy.width * copy.height * 3);
      for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
        rgb[to] = data[from];
        rgb[to + 1] = data[from + 1];
        rgb[to + 2] = data[from + 2];
      }
      let binary = '';
      for (let at = 0; at < rgb.length; at += 32768) binary += String.fromCharCode(...rgb.subarray(at, at + 32768));
      return btoa(binary);
    });
    return Buffer.from(text, 'base64');
  }

  /** Calls the HTTP interface with this technician's cookie, from within the page. */
  async call(method, path, body) {
    return this.page.evaluate(async ([how, where, what]) => {
      const answer = await fetch(`/api/v1${where}`, { method: how, headers: what ? { 'content-type': 'application/json' } : {}, body: what && JSON.stringify(what) });
      const text = await answer.text();
      return { status: answer.status, body: text ? JSON.parse(text) : undefined };
    }, [method, path, body]);
  }

  async details(id) {
    return (await this.call('GET', `/sessions/${id}`)).body;
  }
}

/** The end user at the join page. */
export class EndUser {
  constructor(page, server) {
    this.page = page;
    this.server = server;
  }

  at(id) {
    return byId(this.page, id);
  }

  async tryPin(pin, name) {
    await this.page.goto(`${this.server.url}/join`);
    await this.at('join-pin').fill(pin);
    await this.at('join-name').fill(name);
    await this.at('join-submit').click();
  }

  async joinByPin(pin, name) {
    await this.tryPin(pin, name);
    await this.at('download-applet').first().waitFor();
  }

  async joinByLink(link, name) {
    await this.page.goto(link);
    await this.at('join-name').fill(name);
    await this.at('join-submit').click();
    await this.at('download-applet').first().waitFor();
  }

  /** Downloads the applet for Linux as an executable file in `folder`; answers its path and the name it was given. */
  async download(folder) {
    const [download] = await Promise.all([this.page.waitForEvent('download'), this.at('download-applet').first().click()]);
    const file = join(folder, `${Date.now()}-${download.suggestedFilename()}`);
    await download.saveAs(file);
    chmodSync(file, 0o700);
    return { file, name: download.suggestedFilename() };
  }
}

/** The text that an element shows, be it a field or not. */
async function shown(locator) {
  await locator.waitFor();
  return until('a text', () => locator.evaluate((element) => ('value' in element && element.value) || element.textContent.trim()));
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
