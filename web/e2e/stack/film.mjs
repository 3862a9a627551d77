// A film on the end user's desktop.
import { join } from 'node:path';

const FRAMES = 6;

/** Plays a film of a few colourful pictures in a window of its own. */
export async function play(desktop, folder, width, height) {
  const files = Array.from({ length: FRAMES }, (_, number) => join(folder, `film-${width}-${number}.png`));
  const frames = [];
  for (const [number, file] of files.entries()) {
    const hue = (offset) => `hsl(${(number * 60 + offset) % 360},80%,50%)`;
    await desktop.tool('convert', ['-size', `${width}x${height}`, `gradient:${hue(0)}-${hue(150)}`, '-swirl', String(number * 50), '-depth', '8', file]);
    frames.push(await desktop.tool('convert', [file, '-depth', '8', 'rgb:-'], { encoding: 'buffer' }));
  }
  const title = `film ${Date.now()}`;
  const film = desktop.start('animate', ['-title', title, '-delay', '4', '-loop', '0', ...files]);
  const window = await desktop.window(title);
  await desktop.activate(window);
  return { film, window, frames };
}
