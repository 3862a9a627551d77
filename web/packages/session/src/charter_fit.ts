// Whether what the website hands out belongs to what was asked for. A website in hostile hands may answer with another
// session's connection, another member's charter, or an old one; the console does not pass on what is not its own.
import { fromBase64 } from './wire/encoding';

/**
 * foreign_session: made for another session, account or applet; foreign_technician: in somebody else's name; stale_charter:
 * its time is over, or has not come; no_charter: it cannot be read.
 */
export type CharterMisfit = 'foreign_session' | 'foreign_technician' | 'stale_charter' | 'no_charter';

/** What was asked for, and by whom; all are UUIDs. */
export interface Asked {
  sessionId: string;
  account: string;
  technician: string;
}

/** How wrong this computer's clock may be, in milliseconds; the applet allows as much. */
const CLOCK_ERROR = 24 * 3600 * 1000;

/** What does not fit; `undefined`: all does. `now`: milliseconds since 1970. */
export function charterMisfit(
  connection: { binding: string; charter: { document: string } },
  asked: Asked,
  now: number,
): CharterMisfit | undefined {
  let charter: Record<string, unknown>;
  try {
    charter = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(fromBase64(connection.charter.document))) as typeof charter;
  } catch {
    // Not base64, not UTF-8, not JSON: whatever it is, nobody will take it.
    return 'no_charter';
  }
  const { session, binding, account, technician, issued_at, expires_at } = charter;
  if (!same(session, asked.sessionId) || !same(binding, connection.binding) || !same(idOf(account), asked.account)) return 'foreign_session';
  if (!same(idOf(technician), asked.technician)) return 'foreign_technician';
  if (typeof issued_at !== 'number' || typeof expires_at !== 'number') return 'no_charter';
  const inTime = issued_at / 1000 - CLOCK_ERROR <= now && now < expires_at / 1000 + CLOCK_ERROR;
  return inTime ? undefined : 'stale_charter';
}

function idOf(named: unknown): unknown {
  return typeof named === 'object' && named !== null && 'id' in named ? named.id : undefined;
}

function same(text: unknown, wanted: string): boolean {
  return typeof text === 'string' && text.toLowerCase() === wanted.toLowerCase();
}
