// The list of sessions: what is heard is shown soon, together, and in its order, also around a list that is being read anew.
import type { Session, SessionState } from '@belay/api';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const answer = vi.hoisted(() => ({ give: (_: unknown): void => undefined }));
vi.mock('../src/lib/account.svelte', () => ({
  account: { watch: (result: unknown) => result },
  api: { openSessions: () => new Promise((resolve) => (answer.give = resolve)), session: () => Promise.resolve({ ok: false }) },
}));
vi.mock('../src/lib/text', () => ({ t: (key: string) => key }));
const { Sessions } = await import('../src/lib/sessions.svelte');

class Stream {
  static last: Stream;
  #listeners = new Map<string, (event: { data: string }) => void>();
  constructor() {
    Stream.last = this;
  }
  addEventListener(kind: string, listener: (event: { data: string }) => void): void {
    this.#listeners.set(kind, listener);
  }
  close(): void {
    this.#listeners.clear();
  }
  say(kind: string, data: unknown = {}): void {
    this.#listeners.get(kind)?.({ data: JSON.stringify(data) });
  }
}

const session = (id: string, state: SessionState): Session => {
  return { id, state, created_at: '2026-01-01T00:00:00Z', created_by: { id: 'somebody', name: '' } };
};

function followed(): { sessions: InstanceType<typeof Sessions>; told: string[]; stop: () => void } {
  const told: string[] = [];
  const sessions = new Sessions('me', ({ id, state }) => told.push(`${id} ${state}`));
  return { sessions, told, stop: sessions.follow() };
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('EventSource', Stream);
  vi.stubGlobal('localStorage', { length: 0, key: () => null, getItem: () => null, setItem: () => undefined, removeItem: () => undefined });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('what is heard is shown a moment later, and the newest is what stays', () => {
  const { sessions, told } = followed();
  Stream.last.say('session', session('a', 'waiting'));
  Stream.last.say('session', session('b', 'waiting'));
  Stream.last.say('session', session('a', 'active'));
  expect(sessions.all).toEqual([]);
  vi.advanceTimersByTime(100);
  expect(sessions.all.map(({ id, state }) => `${id} ${state}`)).toEqual(['a active', 'b waiting']);
  expect(told).toEqual(['a waiting', 'b waiting', 'a active']);
});

test('an answer is shown at once, after what was heard before it', () => {
  const { sessions } = followed();
  Stream.last.say('session', session('a', 'waiting'));
  sessions.take(session('a', 'closed'));
  expect(sessions.all).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(sessions.all).toEqual([]);
});

test('a list read anew wins over what was heard before, and not over what was heard since', async () => {
  const { sessions } = followed();
  Stream.last.say('session', session('a', 'waiting'));
  Stream.last.say('session', session('b', 'waiting'));
  Stream.last.say('resync');
  Stream.last.say('session', session('b', 'active'));
  vi.advanceTimersByTime(100);
  Stream.last.say('session', session('b', 'closed'));
  answer.give({ ok: true, value: { sessions: [session('a', 'active'), session('b', 'waiting')] } });
  await vi.advanceTimersByTimeAsync(0);
  expect(sessions.all.map(({ id, state }) => `${id} ${state}`)).toEqual(['a active']);
  await vi.advanceTimersByTimeAsync(1000);
  expect(sessions.all.map(({ id, state }) => `${id} ${state}`)).toEqual(['a active']);
});

test('nothing more is shown once nobody follows', () => {
  const { sessions, told, stop } = followed();
  Stream.last.say('session', session('a', 'waiting'));
  stop();
  vi.advanceTimersByTime(1000);
  expect([sessions.all, told]).toEqual([[], []]);
});
