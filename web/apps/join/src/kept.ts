// A PIN and a link work once, so a reload of the download page must not lose what they led to.
// It is kept for this tab only, as long as the join lives, and used on nothing but a reload.
import type { Ticket } from '@belay/api';

/** A join lives half an hour. */
export const JOIN_LIFE_MS = 30 * 60_000;

export interface Kept { ticket: Ticket; name: string; until: number }

const KEY = 'belay.join';

export function keep(kept: Kept): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // storage refused by the browser: a reload begins anew
  }
}

export function forget(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // storage refused by the browser: there is nothing to forget
  }
}

/** What a reload brings back, if it still lives. */
export function keptOnReload(now: number): Kept | undefined {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  if (navigation?.type !== 'reload') return undefined;
  try {
    const stored = sessionStorage.getItem(KEY);
    return stored === null ? undefined : parseKept(stored, now);
  } catch {
    return undefined; // storage refused by the browser
  }
}

export function parseKept(stored: string, now: number): Kept | undefined {
  const kept = JSON.parse(stored) as Kept;
  return kept.until > now && kept.ticket.join_token ? kept : undefined;
}
