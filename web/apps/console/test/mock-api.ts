// A stand-in for the website, for looking at the console without a server: `npm run mock`.
// Signs in anybody whose password is "secret"; a new session joins by itself after a few seconds.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Plugin } from 'vite';
import type { Me, Session, SessionDetails } from '@belay/api';

const account = { id: randomUUID(), name: 'Example GmbH', region: 'local' };
const tess = { id: '0b5c5a10-0000-4000-8000-000000000001', name: 'Tess Example' };
const tom = { id: '0b5c5a10-0000-4000-8000-000000000002', name: 'Tom Example' };
const me: Me = { member: { ...tess, sign_in_id: 'tess@example.com', role: 'technician' }, account, idle_sign_off_seconds: 300 };

const at = (minutesAgo: number): string => new Date(Date.now() - minutesAgo * 60_000).toISOString().replace('Z', '000Z');

function session(n: number, fields: Partial<Session>): Session {
  const id = `5e551000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  return { id, state: 'waiting', created_by: tess, created_at: at(30 + n * 7), end_user_address: `203.0.113.${n}`, platform: 'linux-x86_64', ...fields };
}

const sessions = new Map<string, Session>(
  [
    session(1, { end_user_name: 'Ada Beispiel', waiting_at: at(3) }),
    session(2, { end_user_name: 'Bartholomäus von und zu Musterhausen', waiting_at: at(1) }),
    session(3, { end_user_name: 'Carla Muster', state: 'active', technician: tom, active_at: at(12) }),
    session(4, { end_user_name: 'Dora Muster', state: 'closed', technician: tess, waiting_at: at(63), active_at: at(61), ended_at: at(32), ended_by: 'end_user' }),
    session(5, { end_user_name: 'Emil Beispiel', state: 'closed', technician: tom, waiting_at: at(90), active_at: at(88), ended_at: at(12), ended_by: 'technician' }),
    session(6, { state: 'timed_out', ended_at: at(5), ended_by: 'system' }),
    session(7, { end_user_name: 'Frida Muster', state: 'aborted', waiting_at: at(200), ended_at: at(190), ended_by: 'system' }),
  ].map((s) => [s.id, s]),
);
const streams = new Set<ServerResponse>();

export function mockApi(): Plugin {
  return {
    name: 'mock-api',
    configureServer: ({ middlewares }) => void middlewares.use('/api/v1', (request, response) => void answer(request, response)),
    configurePreviewServer: ({ middlewares }) => void middlewares.use('/api/v1', (request, response) => void answer(request, response)),
  };
}

function change(next: Session): void {
  sessions.set(next.id, next);
  for (const stream of streams) stream.write(`event: session\ndata: ${JSON.stringify(next)}\n\n`);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? '/', 'http://localhost');
  const [, first, id = '', verb] = url.pathname.split('/');
  const call = `${request.method} ${first}${verb ? `/${verb}` : id ? '/id' : ''}`;
  const body = chunks.length ? (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, string>) : {};
  const found = sessions.get(id);

  if (call === 'POST sign-in') {
    if (body.password !== 'secret') return send(response, 401, failure('sign-in-failed'));
    response.setHeader('set-cookie', 'mock=1; Path=/');
    return send(response, 200, me);
  }
  if (!request.headers.cookie?.includes('mock=1')) return send(response, 401, failure('signed-out'));
  switch (call) {
    case 'POST sign-out':
      response.setHeader('set-cookie', 'mock=; Path=/; Max-Age=0');
      return send(response, 204);
    case 'GET me':
      return send(response, 200, me);
    case 'POST me/id':
      return send(response, 204);
    case 'GET events':
      return stream(response);
    case 'POST sessions':
      return send(response, 201, invite());
    case 'GET sessions': {
      const open = url.searchParams.get('scope') === 'open';
      const list = [...sessions.values()].filter((s) => ['connecting', 'waiting', 'active'].includes(s.state) === open);
      return send(response, 200, { sessions: list });
    }
  }
  if (!found) return send(response, 404, failure('not-found'));
  switch (call) {
    case 'GET sessions/id':
      return send(response, 200, details(found));
    case 'POST sessions/pick-up':
      if (found.state !== 'waiting') return send(response, 409, failure('session-not-waiting'));
      change({ ...found, state: 'active', technician: tess, active_at: at(0) });
      return send(response, 200, connection(id));
    case 'POST sessions/connect':
      return send(response, 200, connection(id));
    case 'POST sessions/end':
      change({ ...found, state: 'closed', ended_at: at(0), ended_by: 'technician' });
      return send(response, 204);
    case 'POST sessions/chat':
      return body.text === 'not stored' ? send(response, 400, failure('bad-request')) : send(response, 204);
  }
  return send(response, 404, failure('not-found'));
}

function invite(): unknown {
  const made = session(100 + sessions.size, { state: 'connecting', created_at: at(0) });
  change(made);
  setTimeout(() => change({ ...made, state: 'waiting', end_user_name: 'Gina Beispiel', waiting_at: at(0) }), 6000);
  return { session: made, pin: '482913', pin_expires_at: at(-20), link: 'https://help.example.com/join#Zk3v9Qm1xT7bW0aLr5yHcA2sD8fGjK4n' };
}

function connection(id: string): unknown {
  return { session: sessions.get(id), gateways: ['wss://localhost/gateway'], ticket: 'dGlja2V0', binding: '00', charter: { document: '', signature: '' } };
}

function details(of: Session): SessionDetails {
  const line = (author: 'technician' | 'end_user', text: string, ago: number) => ({ line_id: randomUUID(), author, text, at: at(ago) });
  const chat = of.state === 'closed' ? [
    line('end_user', 'Hello, my printer does not work.', 60),
    line('technician', 'Good morning! Let us have a look together. I will ask to see your screen now.', 59),
    line('technician', 'Please choose “Allow”.', 59),
    line('end_user', '<img src=x onerror=alert(1)> thank you & goodbye', 33),
  ] : [];
  return {
    session: of,
    chat,
    events: [
      { at: at(66), kind: 'created', detail: '' }, { at: at(64), kind: 'joined', detail: 'pin' }, { at: at(63.5), kind: 'downloaded', detail: 'linux-x86_64' },
      { at: at(63), kind: 'waiting', detail: '203.0.113.4' }, { at: at(61), kind: 'picked_up', detail: 'Tess Example' }, { at: at(58), kind: 'granted', detail: 'desktop_view' },
      { at: at(57), kind: 'violation', detail: 'remote_control: key without a grant' }, { at: at(40), kind: 'withdrawn', detail: 'desktop_view' }, { at: at(32), kind: 'ended', detail: 'end_user' },
    ],
  };
}

function stream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write('event: resync\ndata: {}\n\n');
  streams.add(response);
  response.on('close', () => streams.delete(response));
}

function failure(code: string): unknown {
  return { error: { code, message: code } };
}

function send(response: ServerResponse, status: number, body?: unknown): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
