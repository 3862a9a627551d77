// What is in another process's memory (Linux, its own user or root).
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const PIECE = 4 << 20;

/** How often `text` stands in the writable memory of the process `pid`, as UTF-8. */
export function inMemory(pid, text) {
  const wanted = Buffer.from(text, 'utf8');
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  let found = 0;
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const area = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    if (!area) continue;
    const [from, to] = [Number.parseInt(area[1], 16), Number.parseInt(area[2], 16)];
    for (let at = from; at < to; at += PIECE) {
      // Pieces overlap by what might be cut in two.
      const piece = Buffer.alloc(Math.min(PIECE + wanted.length, to - at));
      let length = 0;
      try { length = readSync(memory, piece, 0, piece.length, at); } catch { continue; } // a page that was given back meanwhile
      const read = piece.subarray(0, length);
      for (let hit = read.indexOf(wanted); hit >= 0 && hit < PIECE; hit = read.indexOf(wanted, hit + 1)) found += 1;
    }
  }
  closeSync(memory);
  return found;
}
