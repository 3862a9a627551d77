// A console that is signed in and then left alone, on a server of its own with the shortest sign-off and the real limits.
// It idles while other tests run; sign-off.test.mjs looks at it last.
import { join } from 'node:path';
import { TESS, stack } from '../stack.mjs';
import { Technician } from './people.mjs';
import { Server } from './server.mjs';

let left;

/** {server, technician, since}: `since` is when it was left alone. */
export function leftAlone() {
  left ??= leave();
  return left;
}

async function leave() {
  const { chromium, folder } = await stack();
  const server = await Server.prepare(join(folder, 'idle'), { top: 'sign_off_seconds = 60' });
  await server.account(TESS);
  await server.start();
  const technician = new Technician(await chromium.person(), server);
  await technician.signIn(TESS);
  technician.page.context().stays = true;
  return { server, technician, since: Date.now() };
}
