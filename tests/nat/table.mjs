// node table.mjs ROWS.json: what the network tests measured, as the Markdown table of docs/connection.md.
import { readFileSync } from 'node:fs';

const PATHS = { relay: 'relay', direct_udp: 'direct UDP', direct_tcp: 'direct TCP', relayed_udp: 'relayed UDP' };
const path = (name) => PATHS[name] ?? name;
const seconds = (milliseconds) => (milliseconds === undefined ? '–' : `${(milliseconds / 1000).toFixed(1)} s`);

const columns = [
  ['network', (row) => row.name],
  ['path reached', (row) => path(row.path)],
  ['usable after', (row) => seconds(row.usable_ms)],
  ['picture after', (row) => seconds(row.picture_ms)],
  ['better path after', (row) => seconds(row.direct_ms)],
  ['first key after', (row) => seconds(row.first_ms)],
  ['all there after', (row) => (row.back_ms === undefined ? '–' : `${seconds(row.back_ms)} (calm: ${seconds(row.calm_ms)}), by ${path(row.path_after)}`)],
  ['lines, keys sent', (row) => `${row.lines}, ${row.keys}`],
  ['missing, doubled', (row) => `${row.missing}, ${row.doubled}`],
];

const rows = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const line = (cells) => `| ${cells.join(' | ')} |\n`;
process.stdout.write(line(columns.map(([title]) => title)) + line(columns.map(() => '---')) + rows.map((row) => line(columns.map(([, cell]) => cell(row)))).join(''));
