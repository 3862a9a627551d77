// What a website in hostile hands may answer with, and what the console says to it.
import { expect, test } from 'vitest';
import { charterMisfit } from '../src/charter_fit';

const asked = {
  sessionId: '01234567-89ab-cdef-0001-020304050607',
  account: '00112233-4455-6677-8899-aabbccddeeff',
  technician: '11112222-3333-4444-5555-666677778888',
};
const NOW = Date.parse('2026-11-24T10:00:00Z');
const DAY = 24 * 3600 * 1000;

function connection(change: Record<string, unknown> = {}, binding = 'ab'.repeat(32)): Parameters<typeof charterMisfit>[0] {
  const document = {
    session: asked.sessionId,
    binding: 'ab'.repeat(32),
    account: { id: asked.account, name: 'Example GmbH' },
    technician: { id: asked.technician, name: 'Tess Example' },
    issued_at: NOW * 1000,
    expires_at: (NOW + DAY / 2) * 1000,
    ...change,
  };
  return { binding, charter: { document: Buffer.from(JSON.stringify(document)).toString('base64') } };
}

test('what was asked for fits', () => {
  expect(charterMisfit(connection(), asked, NOW)).toBeUndefined();
  expect(charterMisfit(connection(), { ...asked, account: asked.account.toUpperCase() }, NOW)).toBeUndefined();
});

test.each([
  ['foreign_session', connection({ session: '99999999-89ab-cdef-0001-020304050607' })],
  ['foreign_session', connection({ binding: 'ac'.repeat(32) })],
  ['foreign_session', connection({}, 'ac'.repeat(32))],
  ['foreign_session', connection({ account: { id: asked.technician } })],
  ['foreign_session', connection({ account: null })],
  ['foreign_technician', connection({ technician: { id: asked.account, name: 'Tess Example' } })],
  ['stale_charter', connection({ issued_at: (NOW - 3 * DAY) * 1000, expires_at: (NOW - 2 * DAY) * 1000 })],
  ['stale_charter', connection({ issued_at: (NOW + 2 * DAY) * 1000, expires_at: (NOW + 3 * DAY) * 1000 })],
  ['no_charter', connection({ expires_at: 'never' })],
  ['no_charter', { binding: '', charter: { document: '***' } }],
  // It names no session at all.
  ['foreign_session', { binding: '', charter: { document: 'e30=' } }],
])('%s', (misfit, answered) => {
  expect(charterMisfit(answered, asked, NOW)).toBe(misfit);
});
