// Processes: starting and ending them, and what they use of the machine, from /proc.
import { spawn } from 'node:child_process';
import { openSync, readFileSync, readdirSync } from 'node:fs';
import { createConnection } from 'node:net';

const TICKS = 100;
const mine = [];

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const say = (...words) => process.stderr.write(`${new Date().toISOString().slice(11, 23)} ${words.join(' ')}\n`);

/** Starts a program whose words go to a file. */
export function start(log, command, words, { env = {}, stdio, cwd, uid } = {}) {
  const out = openSync(log, 'a');
  const child = spawn(command, words, { stdio: stdio ?? ['ignore', out, out], env: { ...process.env, ...env }, cwd, uid, gid: uid });
  child.on('error', (error) => say(`cannot start ${command}: ${error.message}`));
  mine.push(child);
  return child;
}

/** Ends everything that was started here, the latest first, by process id. */
export async function endAll() {
  for (const child of mine.splice(0).reverse()) {
    const ended = child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once('exit', resolve));
    for (const id of tree([child.pid]).reverse()) signal(id, 'SIGTERM');
    await Promise.race([ended, sleep(6000)]);
    for (const id of tree([child.pid]).reverse()) signal(id, 'SIGKILL');
  }
}

function signal(id, name) {
  try { process.kill(Number(id), name); } catch { /* it is gone already */ }
}

export async function portOpen(port, milliseconds = 15_000) {
  const end = Date.now() + milliseconds;
  while (Date.now() < end) {
    const open = await new Promise((resolve) => {
      const socket = createConnection(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await sleep(50);
  }
  throw new Error(`nobody listens on port ${port}`);
}

function table() {
  const processes = {};
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
      processes[id] = { parent: String(fields[1]), seconds: (fields[11] + fields[12] + fields[13] + fields[14]) / TICKS };
    } catch { /* it ended while we looked */ }
  }
  return processes;
}

/** These processes and all below them. */
export function tree(roots, processes = table()) {
  const children = {};
  for (const id in processes) (children[processes[id].parent] ??= []).push(id);
  const found = [];
  const open = roots.filter(Boolean).map(String);
  while (open.length > 0) {
    const id = open.pop();
    if (!processes[id] || found.includes(id)) continue;
    found.push(id);
    open.push(...(children[id] ?? []));
  }
  return found;
}

/** The process whose command line has this text, and is nobody's helper. */
export function withCommandLine(text) {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((id) => {
    try {
      const line = readFileSync(`/proc/${id}/cmdline`, 'utf8');
      return line.includes(text) && !line.includes('--type=');
    } catch { return false; }
  });
}

/** Processor seconds used so far, by role. */
export function seconds(roles) {
  const processes = table();
  return Object.fromEntries(Object.entries(roles).map(([role, ids]) => [role, tree(ids, processes).reduce((sum, id) => sum + processes[id].seconds, 0)]));
}

/** Megabytes of memory (proportional), by role. */
export function megabytes(roles) {
  const of = (id) => {
    try { return Number(/Pss:\s+(\d+)/.exec(readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))?.[1] ?? 0); } catch { return 0; }
  };
  return Object.fromEntries(Object.entries(roles).map(([role, ids]) => [role, round(tree(ids).reduce((sum, id) => sum + of(id), 0) / 1024)]));
}

/** Processor seconds the whole machine has used. */
export function machineSeconds() {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1).map(Number);
  return (fields.reduce((sum, value) => sum + value, 0) - fields[3] - (fields[4] ?? 0)) / TICKS;
}

/** Watches who uses the processors: call the returned function for percent of one core by role, with `others`. */
export function watch(roles) {
  const [before, machine, start] = [seconds(roles), machineSeconds(), Date.now()];
  return () => {
    const [after, all, time] = [seconds(roles), machineSeconds() - machine, (Date.now() - start) / 1000];
    const used = Object.fromEntries(Object.keys(before).map((role) => [role, Math.max(0, after[role] - before[role])]));
    const ours = Object.values(used).reduce((sum, value) => sum + value, 0);
    const percent = Object.fromEntries(Object.entries(used).map(([role, value]) => [role, round(value / time * 100)]));
    return { ...percent, others: Math.max(0, round((all - ours) / time * 100)) };
  };
}

export const round = (value, digits = 1) => Number(value.toFixed(digits));

/** The value below which this part of the values lies. */
export function quantile(values, part) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return round(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]);
}
