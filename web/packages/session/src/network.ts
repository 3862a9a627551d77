// What the browser knows of the network: a hint to try again now, or that a connection is likely to be dead.

/** down: there is no network; up: there is one again; changed: it is another one; looked_at: the page is looked at again. */
export type NetworkNews = 'down' | 'up' | 'changed' | 'looked_at';

/** Not every browser has it. */
interface Connection extends EventTarget {
  readonly type?: string;
}

/** Listens to the browser; returns what ends the listening. */
export function watchNetwork(tell: (news: NetworkNews) => void): () => void {
  const cleanUp = new AbortController();
  const { signal } = cleanUp;
  window.addEventListener('offline', () => tell('down'), { signal });
  window.addEventListener('online', () => tell('up'), { signal });
  // After a sleep the page comes back without the browser having noticed that the network was away.
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && tell('looked_at'), { signal });
  const { connection } = navigator as { connection?: Connection };
  let type = connection?.type;
  const changed = (): void => {
    // It also tells of every new estimate of the speed.
    if (connection?.type !== type) tell('changed');
    type = connection?.type;
  };
  connection?.addEventListener('change', changed, { signal });
  return () => cleanUp.abort();
}
