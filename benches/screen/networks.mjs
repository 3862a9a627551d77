// node networks.mjs FOLDER: the medians of the runs through emulated networks as one Markdown table.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { NETWORKS } from './targets/network.mjs';
import { quantile } from './parts/processes.mjs';

/** What is aimed at: one and a half round trips and this. */
const ABOVE_MS = 30;

const folder = process.argv[2];
const runs = readdirSync(folder).filter((name) => name.endsWith('.json')).map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8'))).filter(({ error, network }) => network && !error);
const median = (values) => quantile(values.filter((value) => typeof value === 'number'), 0.5)?.toFixed(0) ?? '–';

const columns = [
  ['network', (list, { title }) => title],
  ['runs', (list) => String(list.length)],
  ['path', (list) => [...new Set(list.map(({ path }) => path))].join(', ')],
  ['key→pixel p50/p95 ms', (list) => `${median(list.map((run) => run.key?.p50))} / ${median(list.map((run) => run.key?.p95))}`],
  ['aim p50 ms', (list, { round_trip_ms }) => String(round_trip_ms * 1.5 + ABOVE_MS)],
  ['click→pixel p50/p95 ms', (list) => `${median(list.map((run) => run.click?.p50))} / ${median(list.map((run) => run.click?.p95))}`],
  ['not within 3 s', (list) => String(list.reduce((sum, run) => sum + (run.key?.lost ?? 0) + (run.click?.lost ?? 0), 0))],
  ['connect ms', (list) => median(list.map((run) => run.connect_ms).flat())],
  ['recognizable / exact ms', (list) => `${median(list.map((run) => run.approach?.recognizable_ms))} / ${median(list.map((run) => run.approach?.exact_ms))}`],
  ['typing: letters/s of 15, age p50/p95 ms', (list) => {
    const of = (field) => median(list.map((run) => run.workloads?.type?.[field]));
    return `${of('fps')}, ${of('age_p50')} / ${of('age_p95')}`;
  }],
  ['PSNR at rest dB', (list) => median(list.map((run) => run.fidelity?.psnr))],
];

const row = (cells) => `| ${cells.join(' | ')} |\n`;
const rows = Object.entries(NETWORKS).map(([name, network]) => [runs.filter((run) => run.network === name), network]).filter(([list]) => list.length > 0);
process.stdout.write(row(columns.map(([title]) => title)) + row(columns.map(() => '---')) + rows.map(([list, network]) => row(columns.map(([, cell]) => cell(list, network)))).join(''));
