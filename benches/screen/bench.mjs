// node bench.mjs --target belay|tigervnc|meshcentral --run N --secs S --tools FOLDER --out FOLDER [--xtask FILE] [--size WxH] [--monitors N]
// (or --target network --network clean|loss|slow|thin): one run of one target, as JSON.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Console } from './parts/console.mjs';
import { Desk } from './parts/desk.mjs';
import { connect, fidelity, latency, limit, workload } from './parts/measure.mjs';
import { endAll, megabytes, say, sleep, watch } from './parts/processes.mjs';

const { values: options } = parseArgs({
  options: {
    target: { type: 'string' }, run: { type: 'string', default: '1' }, secs: { type: 'string', default: '10' },
    tools: { type: 'string' }, out: { type: 'string' }, xtask: { type: 'string' },
    keys: { type: 'string', default: '50' }, connects: { type: 'string', default: '3' },
    network: { type: 'string' }, size: { type: 'string', default: '1920x1080' }, monitors: { type: 'string', default: '1' },
    workloads: { type: 'string', default: 'idle,type,scroll,move,anim' },
  },
});

const name = [options.target, options.network, options.run].filter(Boolean).join('-');
const folder = resolve(options.out, name);
mkdirSync(folder, { recursive: true });
const target = await import(`./targets/${options.target}.mjs`);
const result = { target: options.target, run: Number(options.run), seconds: Number(options.secs), date: new Date().toISOString(), network: options.network };
const screen = { size: options.size.split('x').map(Number), monitors: Number(options.monitors), owner: target.owner };
const bench = { target, folder, roles: {}, tools: resolve(options.tools), xtask: options.xtask, network: options.network, screen };
result.screen = { size: options.size, monitors: screen.monitors };

async function measure() {
  bench.desk = await Desk.open(bench.tools, folder, screen);
  Object.assign(bench.roles, { x: [bench.desk.server.pid], desk: [bench.desk.program.pid] });
  await target.prepare(bench);
  await sleep(3000);
  const alone = watch(bench.roles);
  await sleep(4000);
  result.cpu_alone = alone();
  bench.console = await Console.open(folder, bench.browser);
  bench.roles.browser = bench.console.processes;
  const count = Number(options.keys);
  if (!bench.network) {
    result.limit = await limit(bench, count);
    say(name, 'a page that draws at once', result.limit.p50, '/', result.limit.p95);
  }
  await target.open(bench);

  result.connect_ms = [];
  for (let count = 1; count <= Number(options.connects); count += 1) {
    result.connect_ms.push(await connect(bench));
    if (count < Number(options.connects)) {
      await target.disconnect(bench);
      await sleep(1500);
    }
  }
  say(name, 'connect', result.connect_ms.join(', '));
  result.approach = bench.approach;
  if (bench.approach) say(name, 'recognizable', bench.approach.recognizable_ms, 'exact', bench.approach.exact_ms);
  await sleep(1500);
  await target.control(bench);
  await bench.desk.focus();
  const { page } = bench.console;
  await page.screenshot({ path: join(folder, 'console.png') });
  await page.mouse.click(...await bench.console.at(1620, 300, bench.desk.size));
  await sleep(800);

  result.key = await latency(bench, count, () => page.keyboard.press('a'));
  say(name, 'key', result.key.p50, '/', result.key.p95, 'lost', result.key.lost);
  result.key_still = await latency(bench, count, () => page.keyboard.press('a'), 'still');
  say(name, 'key in a still page', result.key_still.p50, '/', result.key_still.p95, 'lost', result.key_still.lost);
  const place = await bench.console.at(1620, 330, bench.desk.size);
  await page.mouse.move(...place);
  result.click = await latency(bench, count, () => page.mouse.click(...place));
  say(name, 'click', result.click.p50, '/', result.click.p95, 'lost', result.click.lost);
  result.path = await target.path?.(bench);
  bench.desk.tell('ptr 1660 1000');
  result.workloads = {};
  for (const load of options.workloads.split(',').filter(Boolean)) {
    result.workloads[load] = await workload(bench, load, result.seconds);
    say(name, load, JSON.stringify(result.workloads[load]));
  }
  result.fidelity = await fidelity(bench);
  result.megabytes = megabytes(bench.roles);
}

try {
  await measure();
} catch (error) {
  result.error = error.stack;
  say(name, 'failed:', error.stack);
  await bench.console?.page.screenshot({ path: join(folder, 'error.png') }).catch(() => undefined);
}
writeFileSync(join(options.out, `${name}.json`), `${JSON.stringify(result, null, 1)}\n`);
await bench.console?.close().catch(() => undefined);
bench.desk?.close();
await endAll();
process.exit(result.error ? 1 : 0);
