// Sessions through all kinds of networks: which path is reached, how fast, and that nothing is lost. Needs root.
// BELAY_NAT_ONLY=WORD plays only the scenarios whose name has the word; BELAY_NAT_ROWS=FILE keeps what was measured.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { missing } from './lab.mjs';
import { play } from './play.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { Desktop } from '../../web/e2e/stack/desktop.mjs';
import { stopAll } from '../../web/e2e/stack/processes.mjs';

const ONLY = process.env.BELAY_NAT_ONLY ?? '';
/** Sessions mostly wait, for people and for networks: so many are played at once, each on a desktop of its own. */
const LANES = 2;
const folder = mkdtempSync(join(tmpdir(), 'belay-nat-'));
const rows = new Map();
const desktops = [];

after(async () => {
  const measured = SCENARIOS.map(({ name }) => rows.get(name)).filter(Boolean);
  if (process.env.BELAY_NAT_ROWS) writeFileSync(process.env.BELAY_NAT_ROWS, `${JSON.stringify(measured, null, 1)}\n`);
  await stopAll();
  if (!process.env.BELAY_E2E_KEEP) rmSync(folder, { recursive: true, force: true });
});

const why = missing();

test('this machine can make networks', () => {
  assert.equal(why, undefined, `THE NETWORK TESTS DID NOT RUN: ${why}`);
});

/** Those that take longest begin. */
const ORDER = SCENARIOS.filter(({ name }) => name.includes(ONLY)).sort((one, other) => (other.patience ?? 0) - (one.patience ?? 0));

describe('a session', { concurrency: LANES }, () => {
  for (const scenario of why ? [] : ORDER) {
    test(scenario.name, { timeout: 150_000 }, async () => {
      const desktop = desktops.pop() ?? await Desktop.start(mkdtempSync(join(folder, 'desktop-')));
      try {
        const row = await play(scenario, desktop, folder);
        rows.set(scenario.name, row);
        const { name, paths, states, ...figures } = row;
        process.stderr.write(`${name}: ${JSON.stringify(figures)} ${paths.map(({ path }) => path).join(' → ')}\n`);
        if (process.env.BELAY_E2E_KEEP) process.stderr.write(`${name}: ${JSON.stringify({ paths, states })}\n`);
      } finally {
        desktops.push(desktop);
      }
    });
  }
});
