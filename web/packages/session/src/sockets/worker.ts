// The worker that keeps a page's sockets. Chromium holds the tasks of a page back until its next frame, those of a worker not
// (docs/decisions/0017-sockets-in-a-worker.md).
import { type Ask, Keeper } from './keeper';

let keeper: Keeper | undefined;

addEventListener('message', ({ data }: MessageEvent<Ask>) => {
  if (data.kind === 'ring') {
    keeper = new Keeper(data.memory, (url, subprotocol) => new WebSocket(url, subprotocol));
    postMessage('ready');
  } else {
    keeper?.take(data);
  }
});
