// Sessions through all kinds of networks: which path is reached, how fast, and that nothing is lost. Needs root.
// BELAY_NAT_ONLY=WORD plays only the scenarios whose name has the word; BELAY_NAT_ROWS=FILE keeps what was measured.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { missing } from './lab.mjs';
import { play } from './play.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { Desktop } from '../../web/e2e/stack/desktop.mjs';
import { stopAll } from '../../web/e2e/stack/processes.mjs';

const ONLY = process.env.BELAY_NAT_ONLY ?? '';
const folder = mkdtempSync(join(tmpdir(), 'belay-nat-'));
const rows = [];
let desktop;

after(async () => {
  if (process.env.BELAY_NAT_ROWS) writeFileSync(process.env.BELAY_NAT_ROWS, `${JSON.stringify(rows, null, 1)}\n`);
  await stopAll();
  if (!process.env.BELAY_E2E_KEEP) rmSync(folder, { recursive: true, force: true });
});

const why = missing();

test('this machine can make networks', () => {
  assert.equal(why, undefined, `THE NETWORK TESTS DID NOT RUN: ${why}`);
});

for (const scenario of why ? [] : SCENARIOS.filter(({ name }) => name.includes(ONLY))) {
  test(scenario.name, { timeout: 120_000 }, async () => {
    desktop ??= await Desktop.start(folder);
    const row = await play(scenario, desktop, folder);
    rows.push(row);
    const { name, paths, ...figures } = row;
    process.stderr.write(`${name}: ${JSON.stringify(figures)} ${paths.map(({ path }) => path).join(' → ')}\n`);
  });
}
