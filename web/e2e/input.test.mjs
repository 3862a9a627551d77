// Mouse, fingers and keyboards to the point: a real browser on a desktop of its own, with real keyboard layouts on both ends.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { TESS, finish, granted, stack, waiting } from './stack.mjs';
import { Chromium, look } from './stack/browser.mjs';
import { Desktop, Typewriter, Witness } from './stack/desktop.mjs';
import { Technician } from './stack/people.mjs';
import { sleep, until } from './stack/processes.mjs';

/** Keys by their X keycode: `s` with Shift, `g` with AltGr held. What follows a dead key is composed with it. */
const RETURN = '36';
const SHIFT = '50';
const ALTGR = '108';
const CONTROL = '37';
const KEYBOARDS = [
  { layout: 'us', keys: '29 52 s11 s12 s34 s35 s51 s49 48', text: 'yz@#{}|~\'' },
  { layout: 'us', variant: 'intl', keys: '29 52 48 26 s48 38 49 26 s49 57 s15 32 48 65 g14 g39 g24 g61', text: 'yzéäèñô\'€ßä¿' },
  { layout: 'de', keys: '29 52 48 s47 20 g24 g26 g16 g19 g20 21 26 49 38 s21 38 s16 94 g94', text: 'zyäÖß@€{}\\éâà/<|' },
  { layout: 'fr', keys: '24 25 38 47 11 16 18 19 48 s10 g19 g26 34 26 s34 26 g12 g13', text: 'azqméèçàù1@€êë#{' },
  { layout: 'cz', keys: '11 12 13 14 15 16 17 18 19 34 47 29 52 s11 21 32 s21 57 s21 40 g26 g55 g53', text: 'ěščřžýáíéúůzy2óňď€@#' },
];
/** `us` without a variant stands for the fifth: it has no AltGr and no dead keys at all. */
const nameOf = ({ layout, variant }) => (variant ? `${layout} (${variant})` : layout);

/** A thousand characters of many scripts. */
const THOUSAND = `${[...'Grüße, žluťoučký kůň! Съешь ещё; ξεσκεπάζω – 漢字かな交じり 안녕 שלום مرحبا नमस्ते 😀👍🏽🇩🇪 {[€]}\\~ '.repeat(20)].slice(0, 999).join('')}.`;

let chromium;
let office;

after(async () => {
  await chromium?.stop();
  await office?.stop();
});

test('input to the point', async (t) => {
  const { desktop, server, folder } = await stack();
  office = await Desktop.start(mkdtempSync(join(folder, 'office-')));
  chromium = await Chromium.start([], { desktop: office });
  const technician = new Technician(await chromium.person({ hasTouch: true }), server);
  await technician.signIn(TESS);
  const { session, applet } = await waiting({ technician });
  await technician.pickUp(session.id);
  await technician.at('tool-view').click();
  await applet.allow();
  await technician.screen().waitFor();
  await technician.at('tool-control').click();
  await applet.allow();
  await granted(technician, 'tool-control');
  const typewriter = await Typewriter.open(desktop);

  /** Presses keys on the technician's keyboard, as strokes like `24 s48 g24`. */
  const press = (strokes) => {
    const words = strokes.split(' ').flatMap((stroke) => {
      const [, held, key] = /^([sg]?)(\d+)$/.exec(stroke);
      const modifier = { s: SHIFT, g: ALTGR }[held];
      return modifier ? ['keydown', modifier, 'key', key, 'keyup', modifier] : ['key', key];
    });
    return office.tool('xdotool', words);
  };
  const focus = async () => {
    const place = await desktop.place(typewriter.window);
    await technician.clickAt(place.x + 200, place.y + 60);
    await sleep(150);
  };
  /** Waits for the line that `act` types, and compares it. */
  const line = async (wanted, what, act, milliseconds = 5000) => {
    const before = typewriter.text().length;
    await act();
    const typed = () => typewriter.text().slice(before);
    await until(what, () => typed().endsWith('\n'), milliseconds).catch(() => undefined);
    assert.equal(typed(), `${wanted}\n`, what);
  };

  for (const theirs of KEYBOARDS) {
    await t.test(`every keyboard on a desktop with ${nameOf(theirs)}`, async () => {
      await desktop.layout(theirs.layout, theirs.variant);
      await desktop.activate(typewriter.window);
      await focus();
      for (const ours of KEYBOARDS) {
        await office.layout(ours.layout, ours.variant);
        await sleep(250);
        await line(ours.text, `${nameOf(ours)} on ${nameOf(theirs)}`, () => press(`${ours.keys} ${RETURN}`));
      }
    });
  }

  await t.test('a held key repeats as often as the technician’s keyboard says, and no oftener', async () => {
    await desktop.layout('us');
    await office.layout('us');
    await office.tool('xset', ['r', 'rate', '200', '20']);
    await desktop.tool('xset', ['r', 'rate', '100', '100']);
    await technician.page.evaluate(() => {
      window.downs = 0;
      document.addEventListener('keydown', ({ code }) => { if (code === 'KeyB') window.downs += 1; }, { capture: true });
    });
    const before = typewriter.text().length;
    await office.tool('xdotool', ['keydown', '56', 'sleep', '0.8', 'keyup', '56', 'key', RETURN]);
    await until('the line', () => typewriter.text().slice(before).endsWith('\n'));
    const downs = await technician.page.evaluate(() => window.downs);
    assert.ok(downs >= 5, `the technician's keyboard repeated ${downs} times`);
    assert.equal(typewriter.text().slice(before), `${'b'.repeat(downs)}\n`);
  });

  await t.test('a text of a thousand characters, typed from the dialog', async () => {
    await line(THOUSAND, 'the thousand characters', async () => {
      await technician.at('type-text').click();
      await technician.at('type-text-field').fill(THOUSAND);
      await look(technician.page, 'console-type-text');
      const wide = technician.page.viewportSize();
      await technician.page.setViewportSize({ width: 390, height: 844 });
      await look(technician.page, 'console-type-text-narrow');
      await technician.page.setViewportSize(wide);
      await technician.at('type-text-send').click();
      await technician.at('type-text-dialog').waitFor({ state: 'detached' });
      await focus();
      await press(RETURN);
    }, 30_000);
  });

  const witness = await Witness.open(desktop);
  const since = () => {
    const seen = witness.events().length;
    return () => witness.events().slice(seen);
  };

  await t.test('what is held comes up when the focus is lost', async () => {
    const { x, y } = witness.place;
    await technician.clickAt(x + 60, y + 60);
    const events = since();
    await office.tool('xdotool', ['keydown', SHIFT, 'keydown', CONTROL, 'keydown', '38']);
    await until('the keys', () => events().filter(({ kind }) => kind === 'KeyPress').length >= 3);
    await technician.at('chat-input').focus();
    await until('their release', () => new Set(events().filter(({ kind }) => kind === 'KeyRelease').map(({ keysym }) => keysym)).size >= 3, 2000);
    await office.tool('xdotool', ['keyup', '38', 'keyup', CONTROL, 'keyup', SHIFT]);
    await desktop.tool('xdotool', ['key', '40']);
    const own = await until('a key of the end user', () => events().find(({ kind, keysym }) => kind === 'KeyPress' && keysym === 'd'));
    assert.equal(own.state, 0, 'a modifier is stuck');
  });

  await t.test('the time between two clicks stays', async () => {
    const { x, y } = witness.place;
    for (const pause of [120, 700]) {
      await technician.moveTo(x + 200, y + 200);
      const events = since();
      for (const wait of [pause, 0]) {
        await technician.page.mouse.down();
        await technician.page.mouse.up();
        await sleep(wait);
      }
      const presses = await until('two clicks', () => {
        const found = events().filter(({ kind, button }) => kind === 'ButtonPress' && button === 1);
        return found.length >= 2 && found;
      });
      const between = presses[1].time - presses[0].time;
      assert.ok(Math.abs(between - pause) < 100, `${between} ms instead of ${pause}`);
    }
  });

  await t.test('fingers: a tap, a long press, a drag, and two fingers that scroll', async () => {
    const { x, y } = witness.place;
    const cdp = await technician.page.context().newCDPSession(technician.page);
    const touch = (type, ...points) => cdp.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([px, py], id) => ({ x: px, y: py, id })) });
    const [px, py] = await technician.point(x + 200, y + 150);
    const buttons = (events, wanted) => until(`button ${wanted}`, () => {
      const found = events().filter(({ kind }) => kind === 'ButtonPress');
      return found.length > 0 && events().some(({ kind }) => kind === 'ButtonRelease') && found;
    });

    let events = since();
    await touch('touchStart', [px, py]);
    await touch('touchEnd');
    const tap = await buttons(events, 1);
    assert.deepEqual(tap.map(({ button }) => button), [1]);
    assert.ok(Math.abs(tap[0].x - (x + 200)) <= 2 && Math.abs(tap[0].y - (y + 150)) <= 2, JSON.stringify(tap));

    events = since();
    await touch('touchStart', [px + 40, py]);
    await sleep(650);
    await touch('touchEnd');
    assert.deepEqual((await buttons(events, 3)).map(({ button }) => button), [3]);

    events = since();
    await touch('touchStart', [px, py]);
    for (let step = 1; step <= 6; step += 1) { await touch('touchMove', [px + step * 15, py + step * 5]); await sleep(20); }
    await touch('touchEnd');
    await until('the end of the drag', () => events().some(({ kind }) => kind === 'ButtonRelease'));
    assert.ok(events().filter(({ kind, state }) => kind === 'MotionNotify' && (state & 0x100)).length >= 3, 'moves with the button held');

    events = since();
    await touch('touchStart', [px, py], [px + 80, py]);
    for (let step = 1; step <= 10; step += 1) { await touch('touchMove', [px, py - step * 20], [px + 80, py - step * 20]); await sleep(20); }
    await touch('touchEnd');
    const turned = await buttons(events, 5);
    assert.ok(turned.every(({ button }) => button === 5), JSON.stringify(turned));
    assert.ok(turned.length >= 1);
  });

  await t.test('two fingers that part enlarge the view, and a tap still hits', async () => {
    const { x, y } = witness.place;
    const cdp = await technician.page.context().newCDPSession(technician.page);
    const touch = (type, ...points) => cdp.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([px, py], id) => ({ x: px, y: py, id })) });
    const width = () => technician.screen().evaluate((canvas) => canvas.getBoundingClientRect().width);
    const before = await width();
    const [px, py] = await technician.point(x + 200, y + 150);
    await touch('touchStart', [px - 40, py], [px + 40, py]);
    for (let step = 1; step <= 8; step += 1) { await touch('touchMove', [px - 40 - step * 5, py], [px + 40 + step * 5, py]); await sleep(20); }
    await touch('touchEnd');
    const after = await width();
    assert.ok(after > before * 1.3, `${before} → ${after}`);
    const [qx, qy] = await technician.point(x + 200, y + 150);
    await look(technician.page, 'console-enlarged');
    const events = since();
    await touch('touchStart', [qx, qy]);
    await touch('touchEnd');
    const tap = await until('the tap', () => events().find(({ kind }) => kind === 'ButtonPress'));
    assert.ok(Math.abs(tap.x - (x + 200)) <= 2 && Math.abs(tap.y - (y + 150)) <= 2, JSON.stringify(tap));
  });

  await desktop.tool('xset', ['r', 'rate']);
  await witness.close();
  await typewriter.close();
  await finish({ technician, applet, session });
});
