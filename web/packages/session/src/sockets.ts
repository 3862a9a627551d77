// Where the sockets of a page are kept: by a worker where that makes keys quicker, else by the page itself. The one place
// that decides it. Why: docs/decisions/0017-sockets-in-a-worker.md.
import { type PeerChannel } from './direct/peer';
import { type Connect } from './gateway';
import { FarSockets } from './sockets/far';

let far: FarSockets | undefined;

/** Starts the worker, so that it is there when the first socket is wanted. Never fails. */
export function startSockets(): void {
  if (far !== undefined || !worthIt()) return;
  try {
    far = new FarSockets(new Worker(new URL('./sockets/worker.ts', import.meta.url), { type: 'module' }));
  } catch (error) {
    console.warn('the page keeps its sockets itself', error);
  }
}

/** Opens a WebSocket. */
export const openSocket: Connect = (url, subprotocol) =>
  far?.ready === true ? far.connect(url, subprotocol) : new WebSocket(url, subprotocol);

/** Takes a data channel that was made just now, to where the page's sockets are. */
export function keepChannel(channel: RTCDataChannel): PeerChannel {
  return (far?.ready === true ? far.adopt(channel) : undefined) ?? channel;
}

/** Only Chromium holds a page's messages back; elsewhere the worker would be nothing but a detour. */
function worthIt(): boolean {
  const { userAgentData } = navigator as { userAgentData?: { brands: { brand: string }[] } };
  const chromium = userAgentData?.brands.some(({ brand }) => brand === 'Chromium') === true;
  return chromium && globalThis.crossOriginIsolated && typeof Atomics.waitAsync === 'function';
}
