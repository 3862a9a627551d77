// Steps 5 and 6, from waiting to typing: one session, walked through in order, each step checked at the far end.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { finish, granted, notGranted, stack, tess, waiting } from './stack.mjs';
import { SCREENSHOTS, look } from './stack/browser.mjs';
import { SAFETY_DELAY_MS } from './stack/applet.mjs';
import { HEIGHT, Typewriter, WIDTH, Witness, digest } from './stack/desktop.mjs';
import { sleep, until } from './stack/processes.mjs';

test('a session, from waiting to typing', async (t) => {
  const { desktop, server } = await stack();
  const colleague = await tess();
  const { technician, session, applet } = await waiting({ technician: await tess() });
  let witness;
  let typewriter;

  await t.test('the waiting row appears by itself, in every console of the account', async () => {
    await colleague.waitForState(session.id, 'waiting', 3000);
    assert.match(await technician.row(session.id).innerText(), /Erika Example/);
    await look(technician.page, 'console-waiting');
  });

  await t.test('picked up, it is active on both sides; who comes later is told', async () => {
    await technician.pickUp(session.id);
    await technician.waitForState(session.id, 'active');
    await colleague.waitForState(session.id, 'active');
    assert.equal((await technician.details(session.id)).session.state, 'active');
    await applet.logged('technician_connected');
    assert.match(applet.hostLog(), /technician="Tess Example".*company="Example GmbH"/);
    const late = await colleague.call('POST', `/sessions/${session.id}/pick-up`);
    assert.equal(late.status, 409);
    assert.equal(late.body.error.code, 'session-not-waiting');
    await colleague.page.context().close();
    assert.match(await technician.at('path').innerText(), /^(relay|relayed UDP|direct UDP|direct TCP)$/);
    assert.match((await technician.at('security-code').innerText()).replace(/\s/g, ''), /\d{6}/);
  });

  await t.test('chat, both ways, and stored while it happens', async () => {
    await technician.say('Good morning, what can I do for you?');
    await technician.waitForChat('Good morning, what can I do for you?');
    await desktop.activate(await applet.window());
    await desktop.type('the printer is on strike again');
    await desktop.key('Return');
    await technician.waitForChat('the printer is on strike again');
    await until('the stored chat', async () => (await technician.details(session.id)).chat.length === 2);
    const { chat } = await technician.details(session.id);
    assert.deepEqual(chat.map(({ author, text }) => [author, text]), [
      ['technician', 'Good morning, what can I do for you?'], ['end_user', 'the printer is on strike again'],
    ]);
    await desktop.picture(join(SCREENSHOTS, 'applet-chat.png'));
    await look(technician.page, 'console-chat');
  });

  await t.test('control is not to be had before the view', async () => {
    assert.ok(await technician.at('tool-control').first().isDisabled());
  });

  await t.test('desktop view, refused with Escape: nothing is shown', async () => {
    await technician.at('tool-view').first().click();
    await applet.prompt();
    await look(technician.page, 'console-asking');
    await desktop.picture(join(SCREENSHOTS, 'applet-prompt.png'));
    await applet.desktop.key('alt+a');
    await sleep(400);
    assert.equal(applet.count('granted'), 0, 'a prompt was answered within its safety delay');
    await sleep(SAFETY_DELAY_MS);
    await desktop.key('Escape');
    await applet.logged('refused');
    await technician.page.getByText('Erika Example has refused').first().waitFor();
    await notGranted(technician, 'tool-view');
    assert.equal(applet.count('view_started'), 0);
    await look(technician.page, 'console-refused');
  });

  await t.test('desktop view, not answered: the time-out is a refusal', async () => {
    await technician.at('tool-view').first().click();
    await applet.prompt();
    const asked = Date.now();
    await applet.logged('timed_out', 1, 40_000);
    const waited = Date.now() - asked;
    assert.ok(waited >= 14_000 && waited <= 35_000, `timed out after ${waited} ms`);
    await technician.page.getByText('No answer').first().waitFor();
    assert.equal(applet.count('view_started'), 0);
  });

  await t.test('desktop view, allowed: the real screen, exact to the pixel', async () => {
    witness = await Witness.open(desktop);
    typewriter = await Typewriter.open(desktop);
    await technician.at('tool-view').first().click();
    await applet.allow();
    await granted(technician, 'tool-view');
    await applet.logged('view_started');
    await exact(technician, desktop);
    await look(technician.page, 'console-viewing');
    await desktop.picture(join(SCREENSHOTS, 'applet-sharing.png'));
  });

  await t.test('what changes there changes here, still exact', async () => {
    await desktop.activate(typewriter.window);
    await desktop.type('typed by Erika herself');
    await desktop.key('Return');
    await exact(technician, desktop);
    const place = await desktop.place(typewriter.window);
    await desktop.tool('xdotool', ['windowmove', typewriter.window, String(place.x + 90), String(place.y - 40)]);
    await exact(technician, desktop);
  });

  await t.test('without control a click and a key do nothing', async () => {
    const before = await desktop.pointer();
    const typed = typewriter.text();
    await technician.clickAt(before.x - 300, before.y > 500 ? 300 : 700);
    await technician.page.keyboard.press('x');
    await technician.page.keyboard.press('Enter');
    await sleep(700);
    assert.deepEqual(await desktop.pointer(), before);
    assert.equal(typewriter.text(), typed);
  });

  await t.test('remote control asks again', async () => {
    await technician.at('tool-control').first().click();
    await applet.allow();
    await granted(technician, 'tool-control');
    await applet.logged('control_started');
    assert.equal(applet.count('prompt_shown'), 4);
    await look(technician.page, 'console-controlling');
  });

  await t.test('a click lands on the right pixel, with every button', async () => {
    await desktop.activate(witness.window);
    const { x, y, width, height } = witness.place;
    const spots = [[x + 1, y + 1], [x + width - 2, y + height - 2], [x + 137, y + 211], [x + 350, y + 95]];
    for (const [button, name] of [[1, 'left'], [2, 'middle'], [3, 'right']]) {
      for (const [spotX, spotY] of spots) {
        const seen = witness.events().length;
        await technician.clickAt(spotX, spotY, { button: name });
        const press = await until('the click', () => witness.events().slice(seen).find(({ kind }) => kind === 'ButtonPress'));
        const release = await until('the release', () => witness.events().slice(seen).find(({ kind }) => kind === 'ButtonRelease'));
        assert.deepEqual([press.button, release.button], [button, button]);
        // The page shows the screen smaller than it is: a page pixel covers more than one of the screen.
        const scale = await technician.screen().evaluate((canvas) => canvas.width / canvas.getBoundingClientRect().width);
        const tolerance = Math.ceil(scale / 2);
        assert.ok(Math.abs(press.x - spotX) <= tolerance && Math.abs(press.y - spotY) <= tolerance, `clicked ${press.x},${press.y} for ${spotX},${spotY}`);
      }
    }
  });

  await t.test('wheel and drag', async () => {
    const { x, y } = witness.place;
    await technician.moveTo(x + 200, y + 200);
    let seen = witness.events().length;
    await technician.page.mouse.wheel(0, 120);
    await until('a notch down', () => witness.events().slice(seen).some(({ kind, button }) => kind === 'ButtonPress' && button === 5));
    seen = witness.events().length;
    // The browser counts one notch for each, however far it is said to go.
    for (let notch = 0; notch < 2; notch += 1) await technician.page.mouse.wheel(0, -120);
    await until('two notches up', () => witness.events().slice(seen).filter(({ kind, button }) => kind === 'ButtonPress' && button === 4).length === 2);
    // A wheel's notch is a button too, and its release may come after all that was waited for.
    const released = ({ kind, button }) => kind === 'ButtonRelease' && button === 1;

    seen = witness.events().length;
    await technician.moveTo(x + 100, y + 100);
    await technician.page.mouse.down();
    await technician.moveTo(x + 420, y + 260, { steps: 12 });
    await technician.page.mouse.up();
    const dragged = await until('the end of the drag', () => {
      const events = witness.events().slice(seen);
      return events.some(released) && events;
    });
    const moves = dragged.filter(({ kind, state }) => kind === 'MotionNotify' && (state & 0x100));
    assert.ok(moves.length >= 2, `${moves.length} moves with the button held`);
    const release = dragged.find(released);
    assert.ok(Math.abs(release.x - (x + 420)) <= 2 && Math.abs(release.y - (y + 260)) <= 2, JSON.stringify(release));
  });

  await t.test('a key typed in the console appears in the xterm', async () => {
    await desktop.activate(typewriter.window);
    await focusScreen(technician, typewriter, desktop);
    await technician.page.keyboard.type('Hello World! (a+b)*c = "42" & more; ~/x|y\\z', { delay: 8 });
    await technician.page.keyboard.press('Enter');
    await until('the line in the file', () => typewriter.text().includes('Hello World! (a+b)*c = "42" & more; ~/x|y\\z\n'), 5000)
      .catch((error) => { throw new Error(`${error.message}; the file holds ${JSON.stringify(typewriter.text())}`); });
    await exact(technician, desktop);
  });

  await t.test('German layout at the end user, umlauts and all', async () => {
    await desktop.layout('de');
    await sleep(300);
    await germanKeys(technician.page);
    await technician.page.keyboard.press('Enter');
    await until('the umlauts in the file', () => typewriter.text().includes('zyäöüÄÖÜß@€{}\n'), 5000)
      .catch((error) => { throw new Error(`${error.message}; the file holds ${JSON.stringify(typewriter.text())}`); });
    await desktop.layout('us');
    await sleep(300);
    // The same keys on a desktop whose layout has no umlauts at all: the text arrives all the same.
    await germanKeys(technician.page);
    await technician.page.keyboard.press('Enter');
    await until('the umlauts on a US layout', () => typewriter.text().split('zyäöüÄÖÜß@€{}\n').length === 3, 5000)
      .catch((error) => { throw new Error(`${error.message}; the file holds ${JSON.stringify(typewriter.text())}`); });
  });

  await t.test('modifiers, function keys, and Ctrl+Alt+Del from its button', async () => {
    await desktop.activate(witness.window);
    const { x, y } = witness.place;
    await technician.clickAt(x + 60, y + 60);
    const keys = async (act, wanted) => {
      const seen = witness.events().length;
      await act();
      return until(`${wanted}`, () => witness.events().slice(seen).find(({ kind, keysym }) => kind === 'KeyPress' && keysym === wanted));
    };
    assert.ok((await keys(() => technician.page.keyboard.press('Control+k'), 'k')).state & 0x4, 'Control was not held');
    await keys(() => technician.page.keyboard.press('F7'), 'F7');
    await keys(() => technician.page.keyboard.press('ArrowLeft'), 'Left');
    await keys(() => technician.page.keyboard.press('Home'), 'Home');
    const del = await keys(() => technician.at('ctrl-alt-del').click(), 'Delete');
    assert.equal(del.state & 0xc, 0xc, 'Ctrl and Alt were not held');
    await until('nothing is held any more', () => {
      const down = new Set();
      for (const { kind, keysym } of witness.events()) {
        if (kind === 'KeyPress') down.add(keysym);
        if (kind === 'KeyRelease') down.delete(keysym);
      }
      return down.size === 0;
    });
  });

  await t.test('the end', async () => {
    await witness.close();
    await typewriter.close();
    await finish({ technician, applet, session });
    assert.equal(applet.program.code, 0);
    assert.ok(server.program.code === undefined);
  });
});

/** Waits until console and desktop show the same, every pixel of it. */
async function exact(technician, desktop) {
  let last;
  await desktop.movePointer(WIDTH - 3, HEIGHT - 3);
  await until('the same picture on both sides', async () => {
    const [there, here] = [await desktop.pixels(), await technician.pixels()];
    if (digest(there) === digest(here)) return true;
    let different = 0;
    if (there.length === here.length) for (let at = 0; at < there.length; at += 3) if (there[at] !== here[at] || there[at + 1] !== here[at + 1] || there[at + 2] !== here[at + 2]) different += 1;
    last = there.length === here.length ? `${different} pixels differ` : `${here.length} bytes here, ${there.length} there`;
    return false;
  }, 8000, 300).catch((error) => { throw new Error(`${error.message}: ${last}`); });
}

/** Clicks into the typewriter through the console, so that the canvas has the keyboard. */
async function focusScreen(technician, typewriter, desktop) {
  const place = await desktop.place(typewriter.window);
  await technician.clickAt(place.x + 200, place.y + 60);
  await sleep(150);
}

/** Types `zyäöüÄÖÜß@€{}` as a German keyboard does: physical keys with the text its layout makes of them. */
async function germanKeys(page) {
  const session = await page.context().newCDPSession(page);
  const SHIFT = 8;
  const ALTGR = 0;
  const stroke = async (code, key, virtual, modifiers = 0) => {
    const common = { code, key, windowsVirtualKeyCode: virtual, modifiers };
    await session.send('Input.dispatchKeyEvent', { ...common, type: 'keyDown', text: key, unmodifiedText: key });
    await session.send('Input.dispatchKeyEvent', { ...common, type: 'keyUp' });
    await sleep(12);
  };
  const held = async (code, key, virtual, modifiers, strokes) => {
    await session.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', code, key, windowsVirtualKeyCode: virtual, modifiers });
    for (const one of strokes) await stroke(...one, modifiers);
    await session.send('Input.dispatchKeyEvent', { type: 'keyUp', code, key, windowsVirtualKeyCode: virtual, modifiers: 0 });
  };
  await stroke('KeyY', 'z', 90);
  await stroke('KeyZ', 'y', 89);
  await stroke('Quote', 'ä', 222);
  await stroke('Semicolon', 'ö', 192);
  await stroke('BracketLeft', 'ü', 186);
  await held('ShiftLeft', 'Shift', 16, SHIFT, [['Quote', 'Ä', 222], ['Semicolon', 'Ö', 192], ['BracketLeft', 'Ü', 186]]);
  await stroke('Minus', 'ß', 219);
  await held('AltRight', 'AltGraph', 225, ALTGR, [['KeyQ', '@', 81], ['KeyE', '€', 69], ['Digit7', '{', 55], ['Digit0', '}', 48]]);
  await session.detach();
}
