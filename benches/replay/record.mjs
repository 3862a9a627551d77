// node record.mjs PROGRAM FOLDER: runs real programs on a virtual screen, one after the other, and has PROGRAM (belay-bench-replay) record
// what they show into FOLDER. What is there already is not recorded again.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endAll, say, sleep, start } from '../screen/parts/processes.mjs';

const [program, folder] = process.argv.slice(2);
const SECONDS = 6;
const SIZE = [1920, 1080];
mkdirSync(folder, { recursive: true });

/** A page of headings, text, boxes and pictures that scrolls itself smoothly, as a hand on a good touchpad would. */
function page(home) {
  const words = 'the quick brown fox jumps over a lazy dog while nobody looks and then sleeps under the old tree until morning'.split(' ');
  const text = (seed) => Array.from({ length: 90 }, (_, index) => words[(index * 7 + seed * 13 + index * seed) % words.length]).join(' ');
  const picture = (hue) => `<div style="height:320px;background:radial-gradient(circle at 30% 40%,hsl(${hue},80%,60%),hsl(${hue + 80},70%,30%) 60%,hsl(${hue + 160},60%,50%))"></div>`;
  const parts = Array.from({ length: 40 }, (_, index) => `<h2>Chapter ${index + 1}</h2>${index % 3 === 0 ? picture(index * 37) : ''}<p>${text(index)}</p><p>${text(index + 50)}</p>`);
  const scroll = 'let last=performance.now(),y=0;const go=(now)=>{y+=(now-last)*0.6*(0.6+0.4*Math.sin(now/900));last=now;scrollTo(0,y);requestAnimationFrame(go)};requestAnimationFrame(go)';
  const file = join(home, 'page.html');
  writeFileSync(file, `<meta charset="utf-8"><body style="font:18px/1.6 sans-serif;max-width:60rem;margin:auto">${parts.join('')}<script>${scroll}</script>`);
  return file;
}

/** Presses keys in the focused window, one after the other. */
const keys = (env, names, delay) => start(join(env.home, 'xdotool.log'), 'xdotool', ['key', '--delay', String(delay), ...names], { env });
const times = (count, names) => Array.from({ length: count }, () => names).flat();

const PROGRAMS = {
  'web page scrolled smoothly': {
    open: (env) => start(join(env.home, 'web.log'), 'chromium', ['--no-sandbox', '--disable-gpu', '--no-first-run', '--test-type', `--user-data-dir=${join(env.home, 'web')}`,
      '--window-position=0,0', `--window-size=${SIZE.join(',')}`, '--host-resolver-rules=MAP * ~NOTFOUND', `--app=file://${page(env.home)}`], { env }),
    wait: 6000,
  },
  spreadsheet: {
    open: (env) => {
      const rows = Array.from({ length: 2000 }, (_, row) => Array.from({ length: 14 }, (_, column) => ((row * 7919 + column * 104729) % 10007) / 10).join(','));
      writeFileSync(join(env.home, 'numbers.csv'), rows.join('\n'));
      return start(join(env.home, 'sheet.log'), 'gnumeric', ['--geometry=1600x950+0+0', join(env.home, 'numbers.csv')], { env });
    },
    wait: 6000,
    play: (env) => keys(env, times(6, ['1', '2', 'comma', '5', 'Return', 'Down', 'Down', 'Down', 'Next', '7', 'Tab', '3', 'Return', 'Next', 'Prior', 'Right']), 75),
  },
  'terminal flood': {
    open: (env) => start(join(env.home, 'terminal.log'), 'xterm', ['-geometry', '150x55+0+0', '-fa', 'DejaVu Sans Mono', '-fs', '11', '-e', 'sh', '-c',
      'sleep 3; i=0; while :; do i=$((i+1)); echo "$i $(date +%N) compiling crate number $i of many: this line is one of a flood and nobody can read it"; done'], { env }),
    wait: 3500,
  },
  'film of 1280x720': {
    open: (env) => start(join(env.home, 'film.log'), 'mpv', ['--no-config', '--vo=x11', '--no-audio', '--no-osc', '--geometry=1280x720+200+150', '--no-border',
      'av://lavfi:mandelbrot=size=1280x720:rate=25'], { env }),
    wait: 3000,
  },
  editor: {
    open: (env) => {
      writeFileSync(join(env.home, 'code.rs'), readFileSync(new URL('../../core/screen/src/encoder/moves.rs', import.meta.url)));
      return start(join(env.home, 'editor.log'), 'geany', ['--new-instance', '--config', join(env.home, 'geany'), '--no-terminal', join(env.home, 'code.rs')], { env });
    },
    ready: async (env) => {
      const window = execFileSync('xdotool', ['search', '--onlyvisible', '--class', 'geany'], { env: { ...process.env, ...env } }).toString().split('\n')[0];
      execFileSync('xdotool', ['windowsize', '--sync', window, '1500', '950', 'windowmove', window, '100', '40'], { env: { ...process.env, ...env } });
      await sleep(700);
    },
    wait: 5000,
    play: (env) => keys(env, times(5, ['Down', 'Down', 'Down', 'End', 'Return', 'l', 'e', 't', 'space', 'x', 'equal', '1', 'semicolon', 'Next', 'Next', 'Up', 'Up', 'ctrl+z']), 80),
  },
};

async function record(name, { open, wait, ready, play }, file) {
  const home = mkdtempSync(join(tmpdir(), 'belay-replay-'));
  const log = join(home, 'xvfb.log');
  start(log, 'Xvfb', ['-displayfd', '1', '-screen', '0', `${SIZE.join('x')}x24`, '-ac', '-nolisten', 'tcp', '-noreset']);
  let number;
  for (let tries = 0; number === undefined && tries < 200; tries += 1) {
    await sleep(50);
    number = /^(\d+)$/m.exec(readFileSync(log, 'utf8'))?.[1];
  }
  const env = { home, HOME: home, DISPLAY: `:${number}`, LC_ALL: 'C.UTF-8' };
  start(join(home, 'openbox.log'), 'openbox', [], { env });
  await sleep(500);
  open(env);
  await sleep(wait);
  await ready?.(env);
  play?.(env);
  execFileSync(program, ['record', '--secs', String(SECONDS), `${file}.part`], { env: { ...process.env, ...env }, stdio: 'inherit' });
  execFileSync('import', ['-window', 'root', `${file}.png`], { env: { ...process.env, ...env } });
  renameSync(`${file}.part`, file);
  await endAll();
  rmSync(home, { recursive: true, force: true });
  say('recorded', name);
}

for (const [name, how] of Object.entries(PROGRAMS)) {
  const file = join(folder, `${name}.rec`);
  if (!existsSync(file)) await record(name, how, file);
}
process.exit(0);
