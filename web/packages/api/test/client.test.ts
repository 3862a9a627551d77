// The client's promise: a value or a failure with a stable code, never an exception.
import { expect, test } from 'vitest';
import { createApi } from '../src';

function answering(status: number, body: string, headers: Record<string, string> = {}): { api: ReturnType<typeof createApi>; seen: Request[] } {
  const seen: Request[] = [];
  const fetcher = async (request: RequestInfo | URL): Promise<Response> => {
    seen.push(request as Request);
    return new Response(status === 204 ? null : body, { status, headers: { 'content-type': 'application/json', ...headers } });
  };
  return { api: createApi('https://belay.test', fetcher as typeof fetch), seen };
}

test('an answer becomes a value', async () => {
  const { api, seen } = answering(200, '{"sessions": []}');
  expect(await api.endedSessions(20, '2026-01-01T00:00:00.000000Z')).toEqual({ ok: true, value: { sessions: [] } });
  expect(seen[0]?.url).toBe('https://belay.test/api/v1/sessions?scope=ended&limit=20&before=2026-01-01T00%3A00%3A00.000000Z');
});

test('an empty answer is a success', async () => {
  const { api, seen } = answering(204, '');
  expect((await api.end('11111111-2222-3333-4444-555555555555')).ok).toBe(true);
  expect(seen[0]?.method).toBe('POST');
  expect(seen[0]?.url).toContain('/sessions/11111111-2222-3333-4444-555555555555/end');
});

test('looking up a link sends no name, joining does', async () => {
  const { api, seen } = answering(200, '{}');
  await api.joinByLink('token');
  await api.joinByLink('token', 'Ada');
  expect(await seen[0]?.json()).toEqual({ token: 'token' });
  expect(await seen[1]?.json()).toEqual({ token: 'token', name: 'Ada' });
});

test('an error keeps its code and how long to wait', async () => {
  const { api } = answering(429, '{"error": {"code": "slow-down", "message": "wait"}}', { 'retry-after': '12' });
  expect(await api.joinByPin('123456', 'Ada')).toEqual({ ok: false, failure: { status: 429, code: 'slow-down', retryAfter: 12 } });
});

test('a page of a proxy in between is told apart from our errors', async () => {
  const { api } = answering(502, '<h1>Bad gateway</h1>', { 'content-type': 'text/html' });
  expect(await api.me()).toEqual({ ok: false, failure: { status: 502, code: 'unexpected' } });
});

test('no connection is a failure like any other', async () => {
  const api = createApi('https://belay.test', () => Promise.reject(new TypeError('failed to fetch')));
  expect(await api.me()).toEqual({ ok: false, failure: { status: 0, code: 'unreachable' } });
});
