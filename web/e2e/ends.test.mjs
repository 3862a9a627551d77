// Step 7: taking back and ending, by everybody who may, in every way; and what is left afterwards.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { active, controlling, finish, granted, notGranted, stack, tess, viewing } from './stack.mjs';
import { HEIGHT, WIDTH } from './stack/desktop.mjs';
import { SCREENSHOTS, look } from './stack/browser.mjs';
import { sleep, until } from './stack/processes.mjs';

/** After any end: the applet ended well, its file and its connections are gone, the host log tells, the session is in the list. */
async function over({ technician, session, applet }, { by, state = 'closed' }) {
  assert.equal(await applet.exit(), 0, applet.program.written());
  assert.equal(applet.fileExists, false, 'the applet is still there');
  assert.ok(applet.count('ended') >= 1, applet.hostLog());
  assert.equal(applet.count('view_started'), applet.count('view_ended'), applet.hostLog());
  assert.equal(applet.count('control_started'), applet.count('control_ended'), applet.hostLog());
  if (!by) return;
  const row = await until('the ended session', async () => {
    const found = (await technician.details(session.id)).session;
    return found.state === state && found;
  });
  assert.equal(row.ended_by, by);
  assert.match(row.end_user_address, /^(127\.0\.0\.1|::1|::ffff:127\.0\.0\.1)$/);
  for (const time of ['created_at', 'waiting_at', 'active_at', 'ended_at']) assert.ok(!Number.isNaN(Date.parse(row[time])), time);
  assert.equal(row.technician.name, 'Tess Example');
  const { body } = await technician.call('GET', '/sessions?scope=ended');
  assert.ok(body.sessions.some(({ id }) => id === session.id), 'not in the list of past sessions');
}

test('Erika ends it with Pause: every right is gone at once, on both sides', async () => {
  const { desktop } = await stack();
  const met = await controlling();
  await desktop.key('Pause');
  await met.technician.page.getByText('The session has ended').first().waitFor();
  await over(met, { by: 'end_user' });
  assert.match(met.applet.hostLog(), /event=ended .*by=panic_key/);
  await look(met.technician.page, 'console-ended');
  const { events } = await met.technician.details(met.session.id);
  const kinds = events.map(({ kind }) => kind);
  for (const kind of ['created', 'joined', 'downloaded', 'waiting', 'picked_up', 'granted', 'ended']) assert.ok(kinds.includes(kind), `${kind} is missing in ${kinds}`);
  await met.technician.page.context().close();
});

test('Erika ends it with the button in her window', async () => {
  const { desktop } = await stack();
  const met = await viewing();
  await press(desktop, met.applet, 'end');
  await over(met, { by: 'end_user' });
  await met.technician.page.context().close();
});

test('the technician ends it', async () => {
  const met = await viewing();
  await met.technician.end();
  await over(met, { by: 'technician' });
  await met.technician.page.context().close();
});

test('Erika takes control back, then the view, each with one click; asking again is possible', async () => {
  const { desktop } = await stack();
  const met = await controlling();
  const { technician, applet } = met;
  await press(desktop, applet, 'control');
  await notGranted(technician, 'tool-control');
  await applet.logged('control_ended');
  assert.equal(applet.count('view_ended'), 0, 'the view went with the control');
  const before = await desktop.pointer();
  await technician.clickAt(before.x > 960 ? 300 : 1500, 500);
  await sleep(500);
  assert.deepEqual(await desktop.pointer(), before, 'a click after the withdrawal');

  await press(desktop, applet, 'view');
  await notGranted(technician, 'tool-view');
  await applet.logged('view_ended');
  await technician.page.getByText('The screen is no longer shared').first().waitFor();
  await look(technician.page, 'console-withdrawn');

  await technician.at('tool-view').first().click();
  await applet.allow();
  await granted(technician, 'tool-view');
  await finish(met);
  await over(met, {});
});

test('the technician gives control and view back', async () => {
  const met = await controlling();
  await met.technician.at('tool-control').first().click();
  await notGranted(met.technician, 'tool-control');
  await met.applet.logged('control_ended');
  await met.technician.at('tool-view').first().click();
  await notGranted(met.technician, 'tool-view');
  await met.applet.logged('view_ended');
  await finish(met);
});

test('the technician closes the browser: nothing is captured, and the next console starts without any grant', async () => {
  const { desktop } = await stack();
  const met = await controlling();
  const { applet, session } = met;
  await met.technician.page.context().close();
  await until('the interruption in the host log', () => applet.count('interrupted') + applet.count('connection_lost') > 0);
  await until('the release of the shared picture', () => !sharedPicture(applet.program.pid), 5000);
  assert.ok(applet.program.code === undefined, 'the applet waits for the technician to come back');
  met.technician = await tess();
  await met.technician.row(session.id).locator('[data-testid="open-session"]').click();
  await met.technician.at('chat-input').waitFor();
  await applet.logged('control_ended');
  await applet.logged('view_ended');
  await notGranted(met.technician, 'tool-view');
  await notGranted(met.technician, 'tool-control');
  await desktop.key('Pause');
  await over(met, { by: 'end_user' });
  await met.technician.page.context().close();
});

test('the server hangs: Pause ends everything at once all the same', async () => {
  const { desktop, server } = await stack();
  const met = await controlling();
  server.program.signal('SIGSTOP');
  try {
    const pressed = Date.now();
    await desktop.key('Pause');
    await met.applet.logged('control_ended', 1, 2000);
    await met.applet.logged('view_ended', 1, 2000);
    assert.ok(Date.now() - pressed < 2500, 'the rights outlived the key');
    await over(met, {});
    assert.match(met.applet.hostLog(), /event=ended .*by=panic_key/);
  } finally {
    server.program.signal('SIGCONT');
  }
  await met.technician.page.context().close();
});

test('the server dies: both are told and nothing is captured; after its return the same work goes on', async () => {
  const { desktop, server } = await stack();
  const met = await controlling({ technician: await tess({ direct: false }) });
  const { technician, applet, session } = met;
  await server.kill();
  await applet.logged('interrupted', 1, 5000);
  await until('the release of the shared picture', () => !sharedPicture(applet.program.pid), 5000);
  await technician.page.getByText(/Reconnecting/).first().waitFor();
  await desktop.picture(join(SCREENSHOTS, 'applet-server-gone.png'));
  await look(technician.page, 'console-server-gone');
  const before = await desktop.pointer();
  await technician.say('Are you still there?');

  await server.start();
  await applet.logged('resumed', 1, 40_000);
  await technician.waitForState(session.id, 'active', 20_000);
  await granted(technician, 'tool-control');
  const x = before.x > 960 ? 300 : 1500;
  await until('the pointer after the return', async () => {
    await technician.moveTo(x, 500);
    await sleep(200);
    return Math.abs((await desktop.pointer()).x - x) <= 2;
  }, 15_000);
  assert.equal(applet.count('control_ended'), 0, 'the grants were lost with the connection');

  await server.kill();
  await applet.logged('interrupted', 2, 5000);
  await desktop.key('Pause');
  await applet.logged('control_ended', 1, 2000);
  await over(met, {});
  await server.start();
  const row = await until('the session after the restart', async () => (await technician.details(session.id)).session);
  assert.ok(['waiting', 'active', 'reconnecting', 'offline'].includes(row.state), `${row.state}: the end could not be told to anybody`);
  await technician.call('POST', `/sessions/${session.id}/end`);
  await technician.page.context().close();
});

test('a still screen costs nothing, and nothing is captured after the withdrawal', async () => {
  const { desktop } = await stack();
  const met = await viewing();
  await sleep(2500);
  assert.ok(await cpu(met.applet.program.pid, 3000) <= 0.02, 'the applet works on a still screen');
  assert.ok(sharedPicture(met.applet.program.pid), 'while the screen is seen, its picture is shared memory');
  await press(desktop, met.applet, 'view');
  await met.applet.logged('view_ended');
  await until('the release of the shared picture', () => !sharedPicture(met.applet.program.pid), 3000);
  await finish(met);
});

test('a chat without any grant, ended from the console, shows nothing of the screen to anybody', async () => {
  const met = await active();
  assert.equal(await met.technician.screen().count() === 0 || await met.technician.screen().isHidden(), true);
  await finish(met);
  assert.equal(met.applet.count('view_started'), 0);
  assert.equal(met.applet.count('granted'), 0);
});

/** Whether a process shares memory with the X server that is large enough for a picture of the whole screen. */
function sharedPicture(pid) {
  return readdirSync(`/proc/${pid}/map_files`).some((name) => {
    const [from, to] = name.split('-').map((address) => parseInt(address, 16));
    if (to - from < WIDTH * HEIGHT * 4) return false;
    try { return /SYSV|memfd|\/dev\/shm/.test(readlinkSync(`/proc/${pid}/map_files/${name}`)); } catch { return false; }
  });
}

/** Presses one of the applet's buttons by its keyboard: the bar's buttons have letters of their own. */
async function press(desktop, applet, what) {
  const letters = { end: 'alt+e', control: 'alt+c', view: 'alt+v' };
  await desktop.activate(await applet.window());
  await desktop.key(letters[what]);
}

/** Share of one core that a process uses over `milliseconds`. */
async function cpu(pid, milliseconds) {
  const ticks = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return Number(fields[11]) + Number(fields[12]);
  };
  const before = ticks();
  await sleep(milliseconds);
  return (ticks() - before) * 10 / milliseconds;
}
