// Who keeps a page's sockets: the worker where it helps and runs, else the page.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Ask } from '../src/sockets/keeper';

const made: { by: string; url: unknown }[] = [];
let workers: PageWorker[];

class PageWorker {
  onmessage: (() => void) | null = null;
  onerror: (() => void) | null = null;
  readonly asked: Ask[] = [];

  constructor(
    readonly url: URL,
    readonly options: WorkerOptions,
  ) {
    workers.push(this);
  }

  postMessage(ask: Ask): void {
    this.asked.push(ask);
    if (ask.kind === 'connect') made.push({ by: 'worker', url: ask.url });
  }

  terminate(): void {
    made.push({ by: 'nobody any more', url: '' });
  }
}

/** Makes this page such a browser, and loads the module afresh. */
async function page(without: 'nothing' | 'brand' | 'isolation' | 'workers' = 'nothing'): Promise<typeof import('../src/sockets')> {
  vi.stubGlobal('navigator', { userAgentData: { brands: [{ brand: without === 'brand' ? 'Other' : 'Chromium' }] } });
  vi.stubGlobal('crossOriginIsolated', without !== 'isolation');
  vi.stubGlobal('Worker', without === 'workers' ? class { constructor() { throw new TypeError('no workers'); } } : PageWorker); // prettier-ignore
  vi.stubGlobal('WebSocket', class { constructor(readonly url: string) { made.push({ by: 'page', url }); } }); // prettier-ignore
  return import('../src/sockets');
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetModules();
  vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  made.length = 0;
  workers = [];
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const channel = { label: 'a channel of the page' } as unknown as RTCDataChannel;

test('the worker keeps them from when it is up until it dies', async () => {
  const { startSockets, openSocket, keepChannel } = await page();
  openSocket('wss://1', 'a');
  startSockets();
  startSockets();
  expect(workers.length).toBe(1);
  expect([String(workers[0]!.url).endsWith('/worker.ts'), workers[0]!.options]).toEqual([true, { type: 'module' }]);
  openSocket('wss://2', 'a');
  expect(keepChannel(channel)).toBe(channel);
  workers[0]!.onmessage?.();
  openSocket('wss://3', 'a');
  expect(keepChannel(channel)).not.toBe(channel);
  workers[0]!.onerror?.();
  openSocket('wss://4', 'a');
  expect(keepChannel(channel)).toBe(channel);
  expect(made.map(({ by, url }) => `${by} ${String(url)}`)).toEqual(['page wss://1', 'page wss://2', 'worker wss://3', 'nobody any more ', 'page wss://4']);
});

test.each(['brand', 'isolation', 'workers'] as const)('without %s the page keeps them', async (without) => {
  const { startSockets, openSocket, keepChannel } = await page(without);
  startSockets();
  expect(workers).toEqual([]);
  openSocket('wss://1', 'a');
  expect(made).toEqual([{ by: 'page', url: 'wss://1' }]);
  expect(keepChannel(channel)).toBe(channel);
});

test('without Atomics.waitAsync the page keeps them', async () => {
  const { startSockets, openSocket } = await page();
  const { waitAsync } = Atomics;
  Object.assign(Atomics, { waitAsync: undefined });
  startSockets();
  Object.assign(Atomics, { waitAsync });
  expect(workers).toEqual([]);
  openSocket('wss://1', 'a');
  expect(made).toEqual([{ by: 'page', url: 'wss://1' }]);
});
