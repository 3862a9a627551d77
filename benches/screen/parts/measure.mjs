// The measurements: connecting, latency of input, workloads, and how true the picture is.
import { execFileSync } from 'node:child_process';
import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { machineSeconds, quantile, round, seconds, sleep, watch } from './processes.mjs';

const FIDELITY = fileURLToPath(new URL('../fidelity.py', import.meta.url));

/** Waits, some seconds at most, until others leave the machine quiet (less than a quarter of a core). */
export async function quiet(roles, milliseconds = 4000) {
  const end = Date.now() + milliseconds;
  for (;;) {
    const [ours, all] = [seconds(roles), machineSeconds()];
    await sleep(1000);
    const after = seconds(roles);
    const used = Object.keys(ours).reduce((sum, role) => sum + after[role] - ours[role], 0);
    if (machineSeconds() - all - used < 0.25 || Date.now() > end) return;
  }
}

/** From this PSNR on, both pictures at a quarter of their sides, a picture counts as recognizable. */
const RECOGNIZABLE_DB = 22;

/**
 * Milliseconds from the wish to a whole picture. `target.connect` returns when the wish was made and what is to be added.
 * Through a network also, from the end user's yes, to a recognizable and to the exact picture.
 */
export async function connect(bench) {
  const { target, console: viewer } = bench;
  if (bench.network) await refer(bench);
  const { since, besides = 0 } = await target.connect(bench);
  await viewer.look(target.surface);
  const approach = bench.network ? viewer.page.evaluate((decibels) => window.__bench.approach(decibels, 60_000), RECOGNIZABLE_DB) : undefined;
  const whole = await viewer.page.evaluate((size) => window.__bench.whole(20_000, size), target.first?.(bench) ?? bench.desk.size);
  await target.widen?.(bench);
  if (!whole) throw new Error('no whole picture came within 20 seconds');
  const { recognizable, exact, curve } = await approach ?? {};
  const after = (moment) => (moment ? moment - since : undefined);
  bench.approach = curve && { recognizable_ms: after(recognizable), exact_ms: after(exact), curve: curve.map(([at, ...rest]) => [at - since, ...rest]) };
  return whole - since + besides;
}

/** Gives the page the desktop as it is now. */
async function refer({ console: { page }, desk, folder }) {
  const file = join(folder, 'reference.ppm');
  await desk.ask(`grab ${file}`, 'grabbed', 8000);
  const pixels = readFileSync(file).subarray('P6\n1920 1080\n255\n'.length);
  unlinkSync(file);
  await page.evaluate((base64) => window.__bench.refer(base64), pixels.toString('base64'));
}

/** Milliseconds from an input in the page to the changed pixel in the page; `mode` is one of the sampler's (page.js). */
export async function latency(bench, count, press, mode = 'latency') {
  const { console: { page }, desk, roles } = bench;
  await quiet(roles);
  const offset = await page.evaluate(() => window.__bench.offset());
  const cpu = watch(roles);
  const [total, inward, outward] = [[], [], []];
  let expected = await page.evaluate((mode) => window.__bench.start(mode), mode);
  let lost = 0;
  let seed = 12345;
  const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  for (let index = 0; index < count; index += 1) {
    expected = (expected + 1) & 7;
    const [inputs, changes] = await page.evaluate(() => [window.__bench.inputs.length, window.__bench.changes.length]);
    const events = desk.events.length;
    await press();
    let hit = null;
    for (const end = Date.now() + 3000; !hit && Date.now() < end;) {
      hit = await page.evaluate(([input, change, colour]) => {
        const made = window.__bench.inputs[input];
        const seen = window.__bench.changes.slice(change).find(([, block]) => block === colour);
        return made && seen ? [made[1], seen[0]] : null;
      }, [inputs, changes, expected]);
      if (!hit) await sleep(20);
    }
    if (hit) {
      total.push(hit[1] - hit[0]);
      const event = desk.events[events];
      if (event) {
        inward.push(event.arrived - hit[0] - offset);
        outward.push(hit[1] + offset - event.painted);
      }
    } else {
      lost += 1;
      expected = await page.evaluate(() => window.__bench.block());
    }
    await sleep(100 + random() * 130);
  }
  await page.evaluate(() => window.__bench.stop());
  return {
    n: total.length, lost, p50: quantile(total, 0.5), p95: quantile(total, 0.95), least: quantile(total, 0),
    in_p50: quantile(inward, 0.5), out_p50: quantile(outward, 0.5), cpu: cpu(), raw: total.map((value) => round(value)),
  };
}

/** A page that changes the pixel itself as soon as it is told of the key: nothing that is measured through a page can be quicker. */
const AT_ONCE = `data:text/html,<canvas width="1920" height="1080"></canvas><script>
  const context = document.querySelector('canvas').getContext('2d', { alpha: false });
  let count = 0;
  const on = (bit) => (count & bit ? 255 : 0);
  const paint = () => { context.fillStyle = \`rgb(\${on(1)} \${on(2)} \${on(4)})\`; context.fillRect(1400, 60, 440, 330); };
  addEventListener('keydown', () => { count += 1; paint(); });
  paint();
</script>`;

/** What the browser and the sampler alone take from key to pixel. */
export async function limit({ console: viewer, roles }, count) {
  await viewer.page.goto(AT_ONCE);
  await viewer.look('canvas');
  return latency({ console: viewer, desk: { events: [] }, roles }, count, () => viewer.page.keyboard.press('a'));
}

/** One workload: what is seen of it, how old, at what price. */
export async function workload(bench, name, duration) {
  const { console: viewer, desk, roles } = bench;
  const { page } = viewer;
  await desk.ask('still', 'still');
  await sleep(1500);
  await quiet(roles);
  const offset = await page.evaluate(() => window.__bench.offset());
  desk.painted.clear();
  await page.evaluate(() => window.__bench.start('frames'));
  const received = async () => {
    const [bytes, messages] = await page.evaluate(() => window.__bench.channels());
    return [viewer.received + bytes, viewer.messages + messages];
  };
  const [before, start, cpu] = [await received(), Date.now(), watch(roles)];
  const end = await desk.ask(`wl ${name} ${duration} 42`, 'end', duration * 1000 + 20_000);
  await sleep(300);
  const [used, after, time] = [cpu(), await received(), (Date.now() - start) / 1000];
  const seen = await page.evaluate(() => window.__bench.stop());
  const frames = seen.frames.filter(([, frame]) => frame > 0 && desk.painted.has(frame));
  const ages = frames.map(([at, frame]) => at + offset - desk.painted.get(frame));
  return {
    painted_fps: round(Number(end.split(' ')[2]) / duration), fps: round(frames.length / duration), torn: seen.torn,
    age_p50: quantile(ages, 0.5), age_p95: quantile(ages, 0.95),
    kb_s: round((after[0] - before[0]) / 1000 / time), messages_s: round((after[1] - before[1]) / time), cpu: used,
  };
}

/** How true the picture is that rests. */
export async function fidelity(bench) {
  const { console: { page }, desk, folder } = bench;
  const [reference, shown] = [join(folder, 'desktop.ppm'), join(folder, 'shown.png')];
  desk.tell('ptr 1660 1000');
  await desk.ask('still', 'still');
  await sleep(4000);
  await desk.ask(`grab ${reference}`, 'grabbed', 8000);
  const png = await page.evaluate(() => window.__bench.png());
  writeFileSync(shown, Buffer.from(png.split(',')[1], 'base64'));
  const result = JSON.parse(execFileSync('/usr/bin/python3', [FIDELITY, reference, shown]).toString());
  unlinkSync(reference);
  unlinkSync(shown);
  return result;
}
