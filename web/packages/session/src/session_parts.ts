// What a remote session is built of.
import { type Direct, type DirectHost } from './direct';
import { type Connect } from './gateway';
import { type InputTarget } from './input';
import { type NetworkNews } from './network';
import { type Return } from './returning';
import { type CursorSink } from './screen/cursor';
import { type OpenFilm } from './screen/films';
import { type Surface } from './screen/view';
import { type Zstd } from './screen/zstd';

/** What a session is built of; a page gives its canvas, a test whatever it likes. */
export interface SessionParts {
  surface: Surface;
  cursor?: CursorSink;
  attachInput?: (stage: HTMLElement, target: InputTarget) => () => void;
  zstd: Promise<Zstd>;
  /** Makes decoders of video; without it everything is shown by exact tiles. */
  films?: Promise<OpenFilm | undefined>;
  connect?: Connect;
  /** Looks for direct paths; without it everything goes by the gateway. */
  direct?: (host: DirectHost) => Direct;
  /** Tells what the browser knows of the network; returns what ends that. */
  watchNetwork?: (tell: (news: NetworkNews) => void) => () => void;
  /** How a lost connection comes back, if not as usual. */
  returning?: Pick<Return, 'pauses' | 'silence'>;
  /** In place of the first of `SEEK`, always. */
  seekAfter?: number;
  /** After how many milliseconds a lost connection counts as offline. */
  offlineAfter?: number;
  version: string;
  platform: string;
}
