// What the browser knows of the network: a hint to try again now, or that a connection is likely to be dead.

/** down: there is no network; up: there is one again, or the page is looked at again. */
export type NetworkNews = 'down' | 'up';

/** Listens to the browser; returns what ends the listening. */
export function watchNetwork(tell: (news: NetworkNews) => void): () => void {
  const cleanUp = new AbortController();
  const { signal } = cleanUp;
  window.addEventListener('offline', () => tell('down'), { signal });
  window.addEventListener('online', () => tell('up'), { signal });
  // After a sleep the page comes back without the browser having noticed that the network was away.
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && tell('up'), { signal });
  return () => cleanUp.abort();
}
