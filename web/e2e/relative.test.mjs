// The relative pointer: a real browser that holds a real pointer on a desktop of its own, moved by a real mouse's counts.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { TESS, finish, granted, notGranted, stack, waiting } from './stack.mjs';
import { Chromium, look } from './stack/browser.mjs';
import { Desktop, Witness } from './stack/desktop.mjs';
import { Technician } from './stack/people.mjs';
import { sleep, until } from './stack/processes.mjs';

let chromium;
let office;

after(async () => {
  await chromium?.stop();
  await office?.stop();
});

test('the relative pointer', async (t) => {
  const { desktop, server, folder } = await stack();
  office = await Desktop.start(mkdtempSync(join(folder, 'office-')));
  chromium = await Chromium.start([], { desktop: office });
  const technician = new Technician(await chromium.person(), server);
  await technician.signIn(TESS);
  const { session, applet } = await waiting({ technician });
  await technician.pickUp(session.id);
  await technician.at('tool-view').click();
  await applet.allow();
  await technician.screen().waitFor();
  await technician.at('tool-control').click();
  await applet.allow();
  await granted(technician, 'tool-control');
  const witness = await Witness.open(desktop);
  const { x, y } = witness.place;

  const toggle = technician.at('relative-pointer');
  const held = () => technician.page.evaluate(() => document.pointerLockElement !== null);
  const says = async () => (await toggle.getAttribute('aria-pressed')) === 'true';
  const push = (dx, dy) => office.tool('xdotool', ['mousemove_relative', '--', String(dx), String(dy)]);
  const hold = async () => {
    await toggle.click();
    await until('the pointer is held', async () => (await held()) && says());
  };
  /** A key struck while the pointer is held, and seen at the far end. */
  const key = async () => {
    const before = witness.events().length;
    await office.tool('xdotool', ['key', '38']);
    await until('the key', () => witness.events().slice(before).some(({ kind, keysym }) => kind === 'KeyPress' && keysym === 'a'));
  };
  const free = () => until('the pointer is given back', async () => !(await held()) && !(await says()));
  const arrives = (wanted) => until(`the pointer at ${wanted.x}, ${wanted.y}`, async () => {
    const { x: left, y: top } = await desktop.pointer();
    return left === wanted.x && top === wanted.y;
  }).catch(async (error) => { throw new Error(`${error.message}; it is at ${JSON.stringify(await desktop.pointer())}`); });
  /** Where the drawn pointer's hot spot is in the page, or undefined where none is drawn. */
  const drawn = () => technician.screen().evaluate((canvas) => {
    const overlay = [...canvas.parentElement.querySelectorAll('canvas[aria-hidden]')].find((other) => other.dataset.testid === undefined);
    return overlay !== undefined && overlay.style.display === 'block';
  });

  await t.test('each count of the mouse is a pixel there, and a button moves nothing', async () => {
    await technician.moveTo(x + 100, y + 100);
    await until('the pointer there', async () => (await desktop.pointer()).x >= x + 98);
    assert.equal(await drawn(), false, 'the browser’s own pointer is the remote one');
    await hold();
    await until('the drawn pointer', drawn);
    // The first movement is from where the test's clicks are said to have been, which is not where the real pointer is.
    await push(1, 0);
    await sleep(300);
    await look(technician.page, 'console-relative');
    const from = await desktop.pointer();
    await push(40, 25);
    await arrives({ x: from.x + 40, y: from.y + 25 });
    for (let step = 0; step < 30; step += 1) await push(7, -2);
    const there = { x: from.x + 40 + 210, y: from.y + 25 - 60 };
    await arrives(there);
    const before = witness.events().length;
    await office.tool('xdotool', ['click', '1', 'click', '3', 'click', '5']);
    const presses = await until('the buttons', () => {
      const found = witness.events().slice(before).filter(({ kind }) => kind === 'ButtonPress');
      return found.length >= 3 && found;
    });
    assert.deepEqual(presses.map((press) => [press.button, press.x, press.y]), [1, 3, 5].map((button) => [button, there.x, there.y]));
    await arrives(there);
  });

  await t.test('it goes further than the technician’s own desktop would let it', async () => {
    for (let step = 0; step < 12; step += 1) await push(-170, -90);
    // The corner is reached before the last of them is there, and what is still on its way would be added up with what
    // comes next: a key is never joined with anything, so that all before it is done when it arrives.
    await key();
    await arrives({ x: 0, y: 0 });
    for (let step = 0; step < 12; step += 1) await push(150, 80);
    await arrives({ x: 1800, y: 960 });
  });

  await t.test('keys go on meanwhile, and Escape gives the pointer back', async () => {
    await push(x + 300 - 1800, y + 200 - 960);
    await arrives({ x: x + 300, y: y + 200 });
    await key();
    await office.tool('xdotool', ['key', 'Escape']);
    await free();
    await until('no pointer is drawn', async () => !(await drawn()));
    // By places again.
    await technician.moveTo(x + 50, y + 60);
    await until('the pointer by its place', async () => Math.abs((await desktop.pointer()).x - (x + 50)) <= 2);
    // Browsers do not give the pointer away right after an Escape.
    await sleep(1500);
  });

  await t.test('the toggle gives it back, and so does whatever takes the keyboard', async () => {
    await hold();
    await technician.at('chat-input').focus();
    await free();
    await hold();
    await technician.page.evaluate(() => document.exitPointerLock());
    await free();
  });

  await t.test('the end of the permission gives it back', async () => {
    await hold();
    await technician.page.evaluate(() => document.querySelector('[data-testid="tool-control"]').click());
    await notGranted(technician, 'tool-control');
    await until('the pointer is given back', async () => !(await held()));
    assert.equal(await toggle.count(), 0);
  });

  await witness.close();
  await finish({ technician, applet, session });
});
