// Picking up: what is made ready for it stands nowhere before, and who is refused stays where they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { active, finish, tess, waiting } from './stack.mjs';
import { byId } from './stack/browser.mjs';

/** Longer than the console waits for a connection before it shows the session's page. */
const LATE_MS = 400;

const pickUp = (technician, { session }) => technician.row(session.id).locator('[data-testid="pick-up"]');
const pages = (page) => byId(page, 'tool-view').count();
const heading = (page) => page.locator('main h1').innerText();

/** The page keeps what is laid out backstage, and which addresses it had. */
function watch(page) {
  return page.evaluate(() => {
    window.seen = { prepared: undefined, addresses: [] };
    const backstage = ({ addedNodes }) => [...addedNodes].find((node) => node.inert);
    new MutationObserver((records) => (window.seen.prepared ??= records.map(backstage).find(Boolean)?.firstElementChild)).observe(document.body, { childList: true });
    window.addEventListener('hashchange', () => window.seen.addresses.push(location.hash));
  });
}

test('the page of the session under the pointer is prepared out of sight, and is the one that opens', async () => {
  const first = await active({ name: 'Erika Example' });
  const { technician } = first;
  const { page } = technician;
  const second = await waiting({ name: 'Otto Muster', technician });
  await watch(page);
  await pickUp(technician, second).hover();
  await page.waitForFunction(() => window.seen.prepared);
  assert.equal(await page.evaluate(() => window.seen.prepared.isConnected), false);
  assert.deepEqual([await pages(page), await heading(page)], [1, 'Erika Example']);
  await pickUp(technician, second).click();
  // At once, for what is typed now is meant for this one.
  assert.deepEqual([await pages(page), await heading(page)], [1, 'Otto Muster']);
  assert.ok(await page.evaluate(() => document.querySelector('main').contains(window.seen.prepared)));
  await page.locator('[data-testid="link-state"][data-state="connected"]').waitFor();
  await technician.say('Good morning, Otto');
  await technician.waitForChat('Good morning, Otto');
  // To the other tab and back: each shows its own session.
  await technician.row(first.session.id).locator('[data-testid="open-session"]').click();
  await page.getByRole('heading', { level: 1, name: 'Erika Example' }).waitFor();
  assert.equal(await page.getByText('Good morning, Otto').count(), 0);
  await technician.row(second.session.id).locator('[data-testid="open-session"]').click();
  await technician.waitForChat('Good morning, Otto');
  assert.equal(await pages(page), 1);
  assert.deepEqual(page.complaints, []);
  await technician.call('POST', `/sessions/${second.session.id}/end`);
  await second.applet.exit();
  await finish(first);
});

test('who is refused late, because another window was quicker, is told and has no tab of it', async () => {
  const met = await waiting();
  const late = await tess();
  await late.waitForState(met.session.id, 'waiting');
  await late.page.route(/\/pick-up$/, async (route) => {
    assert.equal((await met.technician.call('POST', `/sessions/${met.session.id}/pick-up`)).status, 200);
    await new Promise((resolve) => setTimeout(resolve, LATE_MS));
    await route.continue();
  });
  await watch(late.page);
  await pickUp(late, met).click();
  await late.page.getByText('Somebody else was faster').first().waitFor();
  await late.waitForState(met.session.id, 'active');
  // Shown, and left again.
  assert.deepEqual(await late.page.evaluate(() => window.seen.addresses), [`#/session/${met.session.id}`, '#/']);
  assert.deepEqual([await pages(late.page), await late.at('tab').count()], [0, 0]);
  await late.page.context().close();
  await finish(met);
});

test('who is refused at once never leaves the page they are on', async () => {
  const met = await waiting();
  const { page } = met.technician;
  await watch(page);
  // The page's own answer, because no network is quick for certain; the real refusal is tested above.
  await page.evaluate(() => {
    const real = window.fetch;
    const refusal = { error: { code: 'session-not-waiting', message: 'this session is not waiting' } };
    const headers = { 'content-type': 'application/json' };
    const told = (what) => (typeof what === 'string' ? what : (what.url ?? String(what)));
    window.fetch = (what, how) => (told(what).endsWith('/pick-up') ? Promise.resolve(new Response(JSON.stringify(refusal), { status: 409, headers })) : real(what, how));
  });
  await pickUp(met.technician, met).click();
  await page.getByText('Somebody else was faster').first().waitFor();
  assert.deepEqual(await page.evaluate(() => window.seen.addresses), []);
  assert.deepEqual([await pages(page), await met.technician.at('tab').count()], [0, 0]);
  await finish(met);
});
