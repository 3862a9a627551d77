// Somebody between console and applet who does it well: both handshakes are made with keys of their own, and every packet is
// opened, read and sealed again. What such a gateway needs, it has: the applet's session authentication id comes by in its Hello.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { FRAME } from './middle.mjs';

let seals;

/** The product's own seal. */
async function sealClass() {
  if (!seals) {
    const folder = mkdtempSync(join(tmpdir(), 'belay-seal-'));
    const file = join(folder, 'seal.mjs');
    const bundle = await rolldown({ input: join(import.meta.dirname, '../../packages/session/src/seal.ts'), platform: 'node' });
    await bundle.write({ file, format: 'es' });
    seals = await import(file);
    rmSync(folder, { recursive: true, force: true });
  }
  return seals.Seal;
}

/** The binding of a session authentication id (docs/protocol/charter.md). */
export function bindingOf(id) {
  return createHash('sha256').update('belay-binding/1\n').update(id).digest();
}

/** Puts somebody between the legs of `middle`: {codes: {console, applet}, read: every packet in plain}. */
export async function sitBetween(middle) {
  const Seal = await sealClass();
  const found = { codes: {}, read: [] };
  const legs = {};
  const seals = {};
  const begin = () => {
    if (seals.console || !legs.console || !legs.applet) return;
    const binding = new Uint8Array(bindingOf(legs.applet.credential));
    const other = { console: 'applet', applet: 'console' };
    for (const end of ['console', 'applet']) {
      // Towards the console it plays the applet, and the other way round.
      seals[end] = new Seal({ role: other[end], binding }, {
        frame: (bytes) => legs[end].down(Buffer.concat([Buffer.of(FRAME), bytes])),
        packet: (packet) => { found.read.push(Buffer.from(packet)); seals[other[end]].seal(packet); },
        ready: (code) => { found.codes[end] = code; },
        broken: (error) => { found.broken = error; },
      });
    }
    for (const end of ['console', 'applet']) seals[end].start();
  };
  middle.tamper(({ from, message, leg }) => {
    if (from === 'gateway' || message[0] !== FRAME) return [message];
    legs[from] = leg;
    // The applet speaks only when it is spoken to: its leg is known from its Hello.
    legs.applet ??= middle.legs.find(({ role }) => role === 'applet');
    begin();
    seals[from].receive(new Uint8Array(message.subarray(1)));
    return [];
  });
  return found;
}
