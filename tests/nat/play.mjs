// One session through one network: from the pick-up to the end, with what was measured on the way. What was said and typed is
// compared at the far end: the end user's lines in the console and in the store, the technician's keys in a file on the desktop.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { granted } from './pages.mjs';
import { Lab } from './lab.mjs';
import { ANY } from './scenarios.mjs';
import { LabServer, appletIn, invite, technicianIn } from './stack.mjs';
import { SAFETY_DELAY_MS } from '../../web/e2e/stack/applet.mjs';
import { Typewriter } from '../../web/e2e/stack/desktop.mjs';
import { sleep, until } from '../../web/e2e/stack/processes.mjs';

/** A path must have been found by then, counted from the pick-up. */
const SEARCH_MS = 40_000;

/** The server is somewhere in the internet: twenty milliseconds there and back. */
const USUAL = { server: 'delay=10ms' };

/** Plays `scenario` on `desktop`; what it returns is a row of the table in docs/connection.md. */
export async function play(scenario, desktop, folder) {
  const met = { desktop, scenario, lab: await Lab.open(join(folder, scenario.name.replace(/\W+/g, '-')), scenario.topology) };
  try {
    return await session(met);
  } catch (error) {
    throw new Error(`${error.message}${await circumstances(met)}`, { cause: error });
  } finally {
    await met.typewriter?.close();
    await met.chromium?.stop();
    await met.applet?.program.stop();
    await met.server?.stop();
    await met.lab.close();
  }
}

async function session(met) {
  const { desktop, scenario, lab } = met;
  met.server = await LabServer.open(lab);
  Object.assign(met, await technicianIn(lab, met.server, scenario));
  Object.assign(met, await invite(met));
  const { technician } = met;
  for (const [host, words] of Object.entries({ ...USUAL, ...scenario.shape })) await lab.shape(host, words);
  met.applet = appletIn(lab, desktop, met.file);
  const { applet } = met;
  await technician.waitForState(met.session.id, 'waiting', 60_000);
  await desktop.activate(await applet.window());
  await watchPath(technician);

  met.said = { technician: [], end_user: [] };
  met.typed = '';
  const row = { name: scenario.name };
  const picked = Date.now();
  await technician.pickUp(met.session.id);
  await applet.logged('technician_connected', 1, 20_000);
  await answer(met, 'here I am', 15_000);
  row.usable_ms = Date.now() - picked;

  row.picture_ms = await show(met);
  await technician.at('tool-control').click();
  await applet.allow();
  await granted(technician, 'tool-control', 20_000);
  met.typewriter = await Typewriter.open(desktop);

  const calm = Date.now();
  await work(met, 'before');
  row.calm_ms = Date.now() - calm;
  const wanted = scenario.path;
  // Which of two good paths is used at one instant is measured anew all the time: what counts is that this one was reached.
  const reached = async () => (await paths(technician)).some(({ path }) => path === wanted);
  if (wanted !== ANY) await until(`the path ${wanted}`, reached, Math.max(1, picked + SEARCH_MS - Date.now()));
  if (wanted === 'relay') assert.deepEqual((await paths(technician)).map(({ path }) => path), ['relay'], 'a path that this network does not let through');
  const found = (await paths(technician)).find(({ path }) => path !== 'relay');
  row.direct_ms = found && Math.round(found.at - picked);
  row.path = wanted === ANY ? (await paths(technician)).at(-1).path : wanted;

  if (scenario.during) {
    const began = Date.now();
    await scenario.during(met);
    const whole = Date.now();
    const first = firstKey(met);
    await work(met, 'after', scenario.patience);
    row.first_ms = await first - (scenario.lasts ? whole : began);
    await desktop.activate(await applet.window());
    await answer(met, 'and here I am again', scenario.patience);
    row.back_ms = Date.now() - began - (scenario.lasts ?? 0);
    row.path_after = (await paths(technician)).at(-1).path;
  }
  await desktop.activate(await applet.window());
  await answer(met, 'thank you', 20_000);
  await complete(met);
  row.lines = met.said.technician.length + met.said.end_user.length;
  row.keys = met.typed.length;
  assert.equal(met.typewriter.text(), met.typed, 'the keys typed on the desktop, in the end');
  Object.assign(row, { missing: 0, doubled: 0 });
  row.paths = await paths(technician);
  row.states = await technician.page.evaluate(() => window.statesSeen);
  await technician.call('POST', `/sessions/${met.session.id}/end`);
  assert.equal(await applet.exit(), 0);
  return row;
}

/** The end user writes a line, and the technician sees it. Their window must be the active one. */
async function answer({ desktop, technician, said, lab }, words, patience = 10_000) {
  const text = `${words} (${said.end_user.length + 1} ${lab.name})`;
  said.end_user.push(text);
  await desktop.tool('xdotool', ['type', '--delay', '5', `${text}\n`]);
  await technician.waitForChat(text, patience);
}

/** Asks for the picture, has the end user allow it, and waits for it: milliseconds from their key to the first pixels. */
async function show({ technician, applet }) {
  await technician.at('tool-view').click();
  await applet.prompt(20_000);
  await sleep(SAFETY_DELAY_MS + 400);
  const allowed = Date.now();
  await applet.desktop.key('alt+a');
  await technician.page.waitForFunction(() => {
    const canvas = document.querySelector('[data-testid="screen"]');
    if (!canvas || canvas.width < 300 || canvas.getBoundingClientRect().width < 300) return false;
    const probe = document.createElement('canvas').getContext('2d');
    probe.drawImage(canvas, canvas.width / 2, canvas.height / 2, 1, 1, 0, 0, 1, 1);
    return probe.getImageData(0, 0, 1, 1).data[3] === 255;
  }, undefined, { polling: 'raf', timeout: 30_000 });
  return Date.now() - allowed;
}

/** Chat and typing, mixed: lines of the technician, and keys that have to be in the desktop's file. */
async function work(met, word, patience = 20_000) {
  const { technician, typewriter, desktop } = met;
  await desktop.activate(typewriter.window);
  for (let round = 1; round <= 3; round += 1) {
    const line = `${word} ${round} ${met.lab.name}`;
    met.said.technician.push(line);
    await technician.say(line);
    await typeThere(met, `${word} ${round}: the quick brown fox jumps over the lazy dog 0123456789`);
  }
  await until(`the keys typed "${word}" on the desktop`, () => typewriter.text() === met.typed, patience)
    .catch((error) => { throw new Error(`${error.message}; typed was ${JSON.stringify(met.typed)}, the file holds ${JSON.stringify(typewriter.text())}`); });
}

/** When the next key that is typed from now on is on the desktop. */
async function firstKey({ typewriter }, patience = 60_000) {
  const before = typewriter.text().length;
  for (const end = Date.now() + patience; Date.now() < end;) {
    if (typewriter.text().length > before) return Date.now();
    await sleep(10);
  }
  throw new Error('no key has arrived any more');
}

/** Types a line into the desktop's terminal through the console. */
export async function typeThere(met, text) {
  const { technician, typewriter, desktop } = met;
  const place = await desktop.place(typewriter.window);
  await connected(technician);
  await technician.clickAt(place.x + 200, place.y + 60);
  for (const letter of text) {
    await connected(technician);
    await technician.page.keyboard.type(letter, { delay: 5 });
  }
  await connected(technician);
  await technician.page.keyboard.press('Enter');
  met.typed += `${text}\n`;
}

/** Waits as a person does who sees that the connection is interrupted: what is typed meanwhile is not carried out later. */
async function connected(technician) {
  const state = () => document.querySelector('[data-testid="link-state"]')?.dataset.state === 'connected';
  if (!await technician.page.evaluate(state)) await technician.page.waitForFunction(state, undefined, { timeout: 30_000 });
}

/** All that was said is there, once, in its order: in the console and in the store. */
async function complete(met) {
  const { technician, said } = met;
  for (const author of ['technician', 'end_user']) {
    const shown = () => technician.page.locator(`[data-testid="chat-line"][data-author="${author}"] [data-testid="chat-text"]`).allInnerTexts();
    const stored = async () => (await technician.details(met.session.id)).chat.filter((line) => line.author === author).map(({ text }) => text);
    for (const [where, look] of [['console', shown], ['store', stored]]) {
      await until(`all lines of the ${author} in the ${where}`, async () => (await look()).length >= said[author].length, 20_000);
      assert.deepEqual(await look(), said[author], `the ${author}'s lines in the ${where}`);
    }
  }
}

/** Begins to note which path and which state of the link the console shows, and since when. */
async function watchPath(technician) {
  await technician.page.evaluate(() => {
    window.pathsSeen = [];
    window.statesSeen = [];
    setInterval(() => {
      const state = document.querySelector('[data-testid="link-state"]')?.dataset.state;
      if (state && window.statesSeen.at(-1)?.state !== state) window.statesSeen.push({ at: Date.now(), state });
      const path = document.querySelector('[data-testid="path"]')?.dataset.path;
      if (path && window.pathsSeen.at(-1)?.path !== path) window.pathsSeen.push({ at: Date.now(), path });
    }, 20);
  });
}

const paths = (technician) => technician.page.evaluate(() => window.pathsSeen);

/** What helps to understand a failure. */
async function circumstances(met) {
  const parts = [`scenario ${met.scenario.name}`];
  const add = async (name, look) => parts.push(`${name}: ${await Promise.resolve().then(look).catch((error) => `(${error.message})`)}`);
  if (met.technician) {
    await add('paths', async () => JSON.stringify(await paths(met.technician)));
    await add('link', async () => JSON.stringify(await met.technician.page.evaluate(() => window.statesSeen)));
    await add('complaints', () => met.technician.page.complaints.join('; '));
    await add('page', async () => { const file = join(met.lab.folder, 'failed.png'); await met.technician.page.screenshot({ path: file }); return file; });
  }
  if (met.applet) {
    await add('host log', () => met.applet.hostLog());
    await add('applet', () => met.applet.program.written());
    await add('desktop', async () => { const file = join(met.lab.folder, 'failed-desktop.png'); await met.desktop.picture(file); return file; });
  }
  if (met.server) await add('server', () => met.server.program.written().split('\n').slice(-20).join('\n'));
  await add('network', async () => JSON.stringify(await met.lab.counts()));
  return `\n${parts.join('\n')}`;
}
