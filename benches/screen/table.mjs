// node table.mjs FOLDER: the medians of all runs in a folder as one Markdown table.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const runs = {};
for (const file of readdirSync(folder).filter((name) => name.endsWith('.json')).sort()) {
  const run = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  if (!run.error) (runs[run.target] ??= []).push(run);
  else process.stderr.write(`${file} failed: ${run.error.split('\n')[0]}\n`);
}

function median(values, digits = 0) {
  const known = values.flat().filter((value) => typeof value === 'number').sort((a, b) => a - b);
  if (known.length === 0) return '–';
  const middle = (known[Math.floor((known.length - 1) / 2)] + known[Math.ceil((known.length - 1) / 2)]) / 2;
  return middle.toFixed(digits);
}

const columns = [
  ['peer', (_, name) => name],
  ['runs', (list) => String(list.length)],
  ['connect ms', (list) => median(list.map((run) => run.connect_ms))],
  ['key→pixel p50/p95 ms', (list) => `${median(list.map((run) => run.key?.p50), 1)} / ${median(list.map((run) => run.key?.p95), 1)}`],
  ['of it the page alone', (list) => `${median(list.map((run) => run.limit?.p50), 1)} / ${median(list.map((run) => run.limit?.p95), 1)}`],
  ['in a still page', (list) => `${median(list.map((run) => run.key_still?.p50), 1)} / ${median(list.map((run) => run.key_still?.p95), 1)}`],
  ['click→pixel p50/p95 ms', (list) => `${median(list.map((run) => run.click?.p50), 1)} / ${median(list.map((run) => run.click?.p95), 1)}`],
  ...['scroll', 'move', 'anim'].map((load) => [`${load} fps @ KB/s (age ms)`, (list) => {
    const of = (field) => list.map((run) => run.workloads?.[load]?.[field]);
    return `${median(of('fps'))} of ${median(of('painted_fps'))} @ ${median(of('kb_s'))} (${median(of('age_p50'))})`;
  }]),
  ['CPU in scroll agent/browser %', (list) => `${median(list.map((run) => run.workloads?.scroll?.cpu.agent))} / ${median(list.map((run) => run.workloads?.scroll?.cpu.browser))}`],
  ['CPU in anim agent/browser %', (list) => `${median(list.map((run) => run.workloads?.anim?.cpu.agent))} / ${median(list.map((run) => run.workloads?.anim?.cpu.browser))}`],
  ['PSNR at rest all/text dB', (list) => `${median(list.map((run) => run.fidelity?.psnr))} / ${median(list.map((run) => run.fidelity?.psnr_text))}`],
  ['idle CPU agent/server/browser %', (list) => ['agent', 'server', 'browser'].map((role) => median(list.map((run) => run.workloads?.idle?.cpu[role]), 1)).join(' / ')],
  ['memory agent/server MB', (list) => `${median(list.map((run) => run.megabytes?.agent))} / ${median(list.map((run) => run.megabytes?.server))}`],
  ["others' CPU %", (list) => median(list.map((run) => Object.values(run.workloads ?? {}).map((load) => load.cpu.others)))],
];

const lines = Object.entries(runs).map(([name, list]) => columns.map(([, cell]) => cell(list, name)));
const row = (cells) => `| ${cells.join(' | ')} |\n`;
process.stdout.write(row(columns.map(([title]) => title)) + row(columns.map(() => '---')) + lines.map(row).join(''));
