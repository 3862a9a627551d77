// Chat lines are stored at once, tried again for a while, and never silently forgotten.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ChatLine, Failure, Result } from '@belay/api';
import { CHAT_LIMIT_BYTES, tooLong, TypingPace } from '../src/lib/chat';
import { ChatKeeper, PAUSES_MS, type Kept } from '../src/lib/chat-keeper';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const line: ChatLine = { line_id: 'a', author: 'technician', text: 'hello', at: '2026-01-01T00:00:00Z' };
const stored: Result<unknown> = { ok: true, value: undefined };
const refused = (failure: Partial<Failure>): Result<unknown> => ({ ok: false, failure: { status: 503, code: 'x', ...failure } });

function keeping(answers: Result<unknown>[]): { keeper: ChatKeeper; told: Kept[]; posted: ChatLine[] } {
  const [told, posted]: [Kept[], ChatLine[]] = [[], []];
  const post = async (sent: ChatLine): Promise<Result<unknown>> => {
    posted.push(sent);
    return answers[Math.min(posted.length, answers.length) - 1] as Result<unknown>;
  };
  return { keeper: new ChatKeeper(post, (_, kept) => told.push(kept)), told, posted };
}

test('a line that is stored at once is never marked', async () => {
  const { keeper, told, posted } = keeping([stored]);
  keeper.keep(line);
  await vi.advanceTimersByTimeAsync(0);
  expect([told, posted, keeper.left]).toEqual([['keeping', 'kept'], [line], 0]);
});

test('a server that is away for a moment costs nothing', async () => {
  const { keeper, told, posted } = keeping([refused({ status: 0 }), refused({ status: 502 }), stored]);
  keeper.keep(line);
  await vi.advanceTimersByTimeAsync(400);
  expect(posted.length).toBe(1);
  await vi.advanceTimersByTimeAsync(2000);
  expect(told).toEqual(['keeping', 'late', 'late', 'kept']);
});

test('the tries are bounded, and can be asked for again', async () => {
  const { keeper, told, posted } = keeping([refused({})]);
  keeper.keep(line);
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  expect(posted.length).toBe(PAUSES_MS.length + 1);
  expect([told.at(-1), keeper.left]).toEqual(['failed', 1]);
  keeper.again();
  await vi.advanceTimersByTimeAsync(0);
  expect(posted.length).toBe(PAUSES_MS.length + 2);
});

test('what the server will never take is not repeated', async () => {
  const { keeper, told, posted } = keeping([refused({ status: 400 })]);
  keeper.keep(line);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([posted.length, told]).toEqual([1, ['keeping', 'failed']]);
});

test('a server that asks for time gets it', async () => {
  const { keeper, posted } = keeping([refused({ status: 429, retryAfter: 20 }), stored]);
  keeper.keep(line);
  await vi.advanceTimersByTimeAsync(19_000);
  expect(posted.length).toBe(1);
  await vi.advanceTimersByTimeAsync(2000);
  expect(posted.length).toBe(2);
});

describe('typing', () => {
  test('is said at the first key, repeated, and taken back after quiet seconds', async () => {
    const told: boolean[] = [];
    const pace = new TypingPace((on) => told.push(on));
    for (const now of [0, 100, 1900, 2100]) pace.typed(now);
    expect(told).toEqual([true, true]);
    await vi.advanceTimersByTimeAsync(3000);
    expect(told).toEqual([true, true, false]);
    pace.stop();
    expect(told.length).toBe(3);
  });
});

test('the length of a line is counted as it travels, in bytes', () => {
  expect(tooLong('x'.repeat(CHAT_LIMIT_BYTES))).toBe(false);
  expect(tooLong('ü'.repeat(CHAT_LIMIT_BYTES / 2 + 1))).toBe(true);
});
