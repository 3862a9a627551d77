// The calls of Belay's HTTP interface with their answers typed from openapi/belay.json.
// A call never throws: it answers with a value or with a failure whose `code` is stable.
import createClient from 'openapi-fetch';
import type { components, paths } from './generated';

type Schemas = components['schemas'];
export type ChatLine = Schemas['ChatLine'];
export type Connection = Schemas['Connection'];
export type Me = Schemas['Me'];
export type NewSession = Schemas['NewSession'];
export type Person = Schemas['Person'];
export type PlatformName = Schemas['PlatformName'];
export type Session = Schemas['Session'];
export type SessionDetails = Schemas['SessionDetails'];
export type SessionEvent = Schemas['SessionEvent'];
export type SessionState = Schemas['SessionState'];
export type Ticket = Schemas['Ticket'];

export interface Failure {
  /** HTTP status, 0 where the server was not reached. */
  status: number;
  /** `unreachable` where there was no answer, `unexpected` where it was not ours; else the server's code. */
  code: string;
  /** Seconds to wait, where the server said so. */
  retryAfter?: number;
}

export type Result<T> = { ok: true; value: T } | { ok: false; failure: Failure };

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Where the form of the download page is posted to: a navigation, so that the browser saves the answer. */
export const downloadAction = '/api/v1/join/download';
/** Server-sent events: `session`, `resync`, `signed-out`. */
export const eventsUrl = '/api/v1/events';

export type Api = ReturnType<typeof createApi>;

/** Makes the client. `origin` and `fetch` are for tests; a page needs neither. */
export function createApi(origin = '', fetcher: typeof fetch = (...args) => fetch(...args)) {
  const http = createClient<paths>({ baseUrl: origin, fetch: (request) => fetcher(request), credentials: 'same-origin' });
  const at = (id: string) => ({ params: { path: { id } } });

  return {
    signIn: (id: string, password: string) => settle(http.POST('/api/v1/sign-in', { body: { id, password } })),
    signOut: () => settle(http.POST('/api/v1/sign-out')),
    me: () => settle(http.GET('/api/v1/me')),
    activity: () => settle(http.POST('/api/v1/me/activity')),

    createSession: () => settle(http.POST('/api/v1/sessions', { body: {} })),
    openSessions: () => settle(http.GET('/api/v1/sessions', { params: { query: { scope: 'open', limit: 200 } } })),
    endedSessions: (limit: number, before?: string) =>
      settle(http.GET('/api/v1/sessions', { params: { query: { scope: 'ended', limit, ...(before ? { before } : {}) } } })),
    session: (id: string) => settle(http.GET('/api/v1/sessions/{id}', at(id))),
    pickUp: (id: string) => settle(http.POST('/api/v1/sessions/{id}/pick-up', at(id))),
    connect: (id: string) => settle(http.POST('/api/v1/sessions/{id}/connect', at(id))),
    end: (id: string) => settle(http.POST('/api/v1/sessions/{id}/end', at(id))),
    addChatLine: (id: string, line: ChatLine) => settle(http.POST('/api/v1/sessions/{id}/chat', { ...at(id), body: line })),

    joinByPin: (pin: string, name: string) => settle(http.POST('/api/v1/join/pin', { body: { pin, name } })),
    joinByLink: (token: string, name?: string) =>
      settle(http.POST('/api/v1/join/link', { body: name === undefined ? { token } : { token, name } })),
  };
}

async function settle<T>(call: Promise<Answer<T>>): Promise<Result<T>> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch {
    // Either no connection, or a body that is no JSON (a proxy's error page): for the reader the same.
    return { ok: false, failure: { status: 0, code: 'unreachable' } };
  }
  if (answer.response.ok) return { ok: true, value: answer.data as T };
  return { ok: false, failure: failureOf(answer) };
}

function failureOf({ error, response }: Answer<unknown>): Failure {
  const failure: Failure = { status: response.status, code: codeOf(error) ?? 'unexpected' };
  const wait = Number(response.headers.get('retry-after'));
  if (Number.isFinite(wait) && wait > 0) failure.retryAfter = wait;
  return failure;
}

function codeOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('error' in body)) return undefined;
  const { error } = body;
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
