// Opens a remote session in a page.
import { ConsoleDirect } from './direct';
import { attachInput } from './attach_input';
import { watchNetwork } from './network';
import { connectToGateway } from './prepared';
import { type RemoteSession, type RemoteSessionOptions } from './interface';
import { CanvasSurface } from './screen/canvas';
import { CanvasCursor } from './screen/cursor';
import { browserFilms } from './screen/webcodecs';
import { sharedZstd } from './screen/zstd';
import { ConsoleSession } from './session';
import packageJson from '../package.json';

/** Opens the link to an applet and shows its screen on the canvas once it is allowed. Throws `RangeError` when an option is malformed. */
export function openRemoteSession(options: RemoteSessionOptions): RemoteSession {
  const { canvas } = options;
  return new ConsoleSession(options, {
    surface: new CanvasSurface(canvas),
    cursor: new CanvasCursor(canvas),
    attachInput: (stage, target) => attachInput(stage, canvas, target),
    watchNetwork,
    connect: connectToGateway,
    direct: (host) => new ConsoleDirect(host),
    zstd: sharedZstd(),
    films: browserFilms(),
    version: packageJson.version,
    platform: 'browser',
  });
}
