// Belay itself, as people use it: its demo, its console, and an end user who allows what is asked.
//
// Connecting is counted from the click on "pick up" to a session that is ready to ask (both as the page has them), and from the end user's key stroke that allows
// the view to the whole picture. The time in which a person reads the question is not counted. Later connections give the view back and
// ask anew: for them only the second part is measured, the first is taken from the first time.
import { join } from 'node:path';
import { say, sleep, start } from '../parts/processes.mjs';

/** A prompt takes no answer before this time, so that nobody allows by accident. */
const SAFETY_DELAY_MS = 3000;
const PROMPT_MS = 400;
/** How long a pointer rests on a button at least before a person presses it. */
const POINTING_MS = 200;
/** The choice that stands for all monitors. */
const WHOLE_DESKTOP = '255';

export const surface = '[data-testid="screen"]';

export async function prepare(bench) {
  const words = ['demo', '--no-build', '--json', '--display', bench.desk.display, '--no-programs'];
  const demo = start(join(bench.folder, 'demo.log'), bench.xtask, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise((resolve, reject) => {
    let heard = '';
    demo.stdout.on('data', (data) => {
      heard += data;
      const found = heard.split('\n').find((text) => text.startsWith('{'));
      if (found && heard.endsWith('\n')) resolve(found);
    });
    demo.on('exit', (code) => reject(new Error(`the demo ended with ${code}`)));
  });
  bench.demo = JSON.parse(line);
  Object.assign(bench.roles, { agent: [bench.demo.applet_pid], server: [bench.demo.server_pid] });
  await bench.desk.focus();
}

const at = (bench, id) => bench.console.page.locator(`[data-testid="${id}"]`).first();

export async function open(bench) {
  const { page } = bench.console;
  await page.goto(bench.demo.url);
  await at(bench, 'sign-in-id').fill(bench.demo.technician.id);
  await at(bench, 'sign-in-password').fill(bench.demo.technician.password);
  await at(bench, 'sign-in-submit').click();
  await at(bench, 'pick-up').waitFor();
}

export async function connect(bench) {
  if (bench.ready === undefined) {
    const { page } = bench.console;
    await at(bench, 'pick-up').hover();
    await sleep(POINTING_MS);
    const inputs = await page.evaluate(() => window.__bench.inputs.length);
    const ready = page.evaluate((css) => window.__bench.match(css, 20_000), '[data-testid="tool-view"]:not([disabled])');
    await at(bench, 'pick-up').click();
    const clicked = await page.evaluate((before) => window.__bench.inputs.slice(before).find(([kind]) => kind === 'pointerdown')[1], inputs);
    bench.ready = Math.round(await ready - clicked);
    say(`ready to ask ${bench.ready} ms after the click`);
  }
  return { since: await allow(bench, 'tool-view'), besides: bench.ready };
}

/** The size of the first picture: that of one monitor. */
export const first = (bench) => bench.screen.size;

/** Shows all monitors, where there are several. */
export async function widen(bench) {
  if (bench.screen.monitors === 1) return;
  await at(bench, 'monitor').selectOption(WHOLE_DESKTOP);
  await bench.console.page.evaluate((size) => window.__bench.whole(20_000, size), bench.desk.size);
}

export async function disconnect(bench) {
  await at(bench, 'tool-view').click();
  await at(bench, 'stage-message').waitFor();
}

export async function control(bench) {
  await allow(bench, 'tool-control');
  await bench.console.page.locator('[data-testid="consent-remote_control"][data-state="granted"]').waitFor();
  await sleep(600);
  await bench.desk.focus();
}

/** Asks for a right and has the end user allow it. Returns when they did. */
async function allow(bench, tool) {
  await at(bench, tool).click();
  await sleep(SAFETY_DELAY_MS + PROMPT_MS + (bench.late ?? 0));
  const since = Date.now();
  bench.desk.altA();
  // The applet's bar comes up over the measured desktop, which has no window manager, and hides the strip by which a whole picture is told: it
  // goes back on top, as soon as it can have been covered.
  for (const wait of [5, 15, 25, 35, 45, 60, 90, 150, 300, 600]) setTimeout(() => void bench.desk.focus().catch((error) => say(error.message)), wait);
  return since;
}
