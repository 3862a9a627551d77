// A small stand-in for the website, for looking at the page without a server: `npm run mock`.
// PIN 123456 works, 999999 asks to slow down, every other PIN is wrong.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Plugin } from 'vite';

const who = { company: 'Example GmbH', technician: 'Tess Example' };
const platforms = [
  { platform: 'linux-x86_64', available: true },
  { platform: 'windows-x86_64', available: false },
  { platform: 'macos', available: false },
];

export function mockApi(): Plugin {
  return {
    name: 'mock-api',
    configureServer: ({ middlewares }) => void middlewares.use('/api/v1/join', (request, response) => void answer(request, response)),
    configurePreviewServer: ({ middlewares }) => void middlewares.use('/api/v1/join', (request, response) => void answer(request, response)),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  if (request.url === '/download') {
    response.setHeader('content-disposition', 'attachment; filename="belay-applet"');
    return void response.end(body);
  }
  const { pin, token, name } = JSON.parse(body) as Record<string, string | undefined>;
  if (pin === '999999') return fail(response, 429, 'slow-down');
  if (request.url === '/pin' && pin !== '123456') return fail(response, 404, 'pin-not-valid');
  if (token?.startsWith('expired')) return fail(response, 404, 'link-not-valid');
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ ...who, platforms, ...(name ? { end_user_name: name, join_token: 'join-token' } : {}) }));
}

function fail(response: ServerResponse, status: number, code: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  if (status === 429) response.setHeader('retry-after', '30');
  response.end(JSON.stringify({ error: { code, message: code } }));
}
