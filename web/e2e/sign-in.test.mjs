// Step 2: signing in, being refused, being locked out, being signed off, and what a stranger's page may not do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FINN, TESS, stack, tess } from './stack.mjs';
import { look } from './stack/browser.mjs';
import { leftAlone } from './stack/idle.mjs';
import { EndUser, Technician } from './stack/people.mjs';
import { must } from './stack/processes.mjs';

async function refusal(technician, id, password) {
  await technician.open();
  const answer = technician.page.waitForResponse((response) => response.url().endsWith('/sign-in'));
  await technician.trySignIn(id, password);
  const response = await answer;
  await technician.at('sign-in-error').waitFor();
  return { status: response.status(), text: (await technician.at('sign-in-error').innerText()).trim(), body: await response.text() };
}

test('wrong password and unknown id are answered alike; the right password opens the console', async () => {
  const { chromium, server } = await stack();
  const technician = new Technician(await chromium.person(), server);
  const wrong = await refusal(technician, TESS.id, 'not-the-Password-1');
  await look(technician.page, 'sign-in-refused');
  const unknown = await refusal(technician, 'nobody@example.com', 'not-the-Password-1');
  assert.equal(wrong.status, 401);
  assert.deepEqual(unknown, wrong);
  await technician.signIn(TESS);
  const [cookie] = (await technician.page.context().cookies()).filter(({ name }) => name === '__Host-belay');
  assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === 'Strict' && cookie.path === '/');
  assert.deepEqual(technician.page.complaints, []);
  await technician.page.context().close();
});

test('five failures lock the member; the answer does not say so, and the right password does not help', async () => {
  const { chromium, server } = await stack();
  const locked = { name: 'Lock GmbH', id: 'lock@example.com', owner: 'Lo Example', password: 'green-Bottle-77-shelf' };
  await server.account(locked);
  const technician = new Technician(await chromium.person(), server);
  const answers = [];
  for (let tries = 0; tries < 5; tries += 1) answers.push(await refusal(technician, locked.id, 'wrong-Guess-1'));
  const right = await refusal(technician, locked.id, locked.password);
  for (const answer of answers) assert.deepEqual(answer, right);
  await technician.page.context().close();
});

test('an account sees nothing of another: sessions are as if they did not exist', async () => {
  const { chromium, server } = await stack();
  const one = await tess();
  const { id } = await one.newSession();
  const other = new Technician(await chromium.person(), server);
  await other.signIn(FINN);
  for (const [method, path] of [['GET', ''], ['POST', '/pick-up'], ['POST', '/connect'], ['POST', '/end']]) {
    const foreign = await other.call(method, `/sessions/${id}${path}`);
    const absent = await other.call(method, `/sessions/00000000-0000-7000-8000-000000000000${path}`);
    assert.equal(foreign.status, 404, `${method} ${path}`);
    assert.deepEqual(foreign, absent);
  }
  const list = await other.call('GET', '/sessions?scope=open');
  assert.ok(list.body.sessions.every((session) => session.id !== id));
  assert.equal((await one.call('GET', `/sessions/${id}`)).status, 200);
  await one.call('POST', `/sessions/${id}/end`);
  await one.page.context().close();
  await other.page.context().close();
});

test('requests from another origin, without one, and for another host are refused', async () => {
  const { server } = await stack();
  const ask = (...words) => must('curl', ['-sk', '-o', '/dev/null', '-w', '%{http_code}', '-X', 'POST', '-H', 'Content-Type: application/json', '-d', '{"pin":"000000","name":"x"}', ...words, `${server.url}/api/v1/join/pin`]);
  assert.equal(await ask('-H', `Origin: ${server.url}`), '404');
  assert.equal(await ask('-H', 'Origin: https://evil.example'), '403');
  assert.equal(await ask(), '403');
  assert.equal(await ask('-H', `Origin: ${server.url}`, '-H', 'Sec-Fetch-Site: cross-site'), '403');
  assert.notEqual(await ask('-H', `Origin: ${server.url}`, '-H', 'Host: evil.example'), '404');
});

test('every page comes with a strict policy', async () => {
  const { server } = await stack();
  for (const path of ['/console/', '/join']) {
    const headers = (await must('curl', ['-sk', '-D', '-', '-o', '/dev/null', server.url + path])).toLowerCase();
    assert.match(headers, /content-security-policy: .*default-src '(none|self)'/);
    assert.match(headers, /frame-ancestors 'none'/);
    assert.doesNotMatch(headers, /script-src[^;]*'unsafe-(inline|eval)'/);
    assert.match(headers, /x-content-type-options: nosniff/);
    assert.match(headers, /referrer-policy: (no-referrer|same-origin)/);
  }
});

test('the eleventh PIN tried within a minute from one address has to wait, and the page says so', async () => {
  const { chromium } = await stack();
  const { server } = await leftAlone();
  const guesser = new EndUser(await chromium.person(), server);
  await guesser.page.goto(`${server.url}/join`);
  const statuses = [];
  for (let tries = 0; tries < 11; tries += 1) {
    statuses.push(await guesser.page.evaluate(async () => {
      const body = JSON.stringify({ pin: '000000', name: 'x' });
      const answer = await fetch('/api/v1/join/pin', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      return [answer.status, Number(answer.headers.get('retry-after'))];
    }));
  }
  assert.deepEqual(statuses.slice(0, 10).map(([status]) => status), Array(10).fill(404));
  assert.equal(statuses[10][0], 429);
  assert.ok(statuses[10][1] >= 1 && statuses[10][1] <= 60, `Retry-After: ${statuses[10][1]}`);
  await guesser.tryPin('000000', 'Erika Example');
  await guesser.at('join-error').waitFor();
  await look(guesser.page, 'join-slow-down');
  await guesser.page.context().close();
});
