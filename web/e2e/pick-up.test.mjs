// Picking up: what is made ready for it stands nowhere before, and who is refused stays where they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { active, finish, tess, waiting } from './stack.mjs';

/** Longer than the console waits for a connection before it shows the session's page. */
const LATE_MS = 400;

test('the page of the session under the pointer is prepared out of sight, and is the one that opens', async () => {
  const first = await active({ name: 'Erika Example' });
  const { page } = first.technician;
  const second = await waiting({ name: 'Otto Muster', technician: first.technician });
  const pages = () => page.locator('[data-testid="tool-view"]').count();
  const heading = () => page.locator('main h1').innerText();
  await first.technician.row(second.session.id).locator('[data-testid="pick-up"]').hover();
  assert.equal(await pages(), 1, 'a prepared page stands in the document');
  assert.equal(await heading(), 'Erika Example');
  await first.technician.row(second.session.id).locator('[data-testid="pick-up"]').click();
  // At once, for what is typed now is meant for this one.
  assert.deepEqual([await pages(), await heading()], [1, 'Otto Muster']);
  await page.locator('[data-testid="link-state"][data-state="connected"]').waitFor();
  await first.technician.say('Good morning, Otto');
  await first.technician.waitForChat('Good morning, Otto');
  // To the other tab and back: each shows its own session.
  await first.technician.row(first.session.id).locator('[data-testid="open-session"]').click();
  await page.getByRole('heading', { level: 1, name: 'Erika Example' }).waitFor();
  assert.equal(await page.getByText('Good morning, Otto').count(), 0);
  await first.technician.row(second.session.id).locator('[data-testid="open-session"]').click();
  await first.technician.waitForChat('Good morning, Otto');
  assert.equal(await pages(), 1);
  assert.deepEqual(page.complaints, []);
  await first.technician.call('POST', `/sessions/${second.session.id}/end`);
  await second.applet.exit();
  await finish(first);
});

for (const [how, delay] of [['at once', 0], ['late', LATE_MS]]) {
  test(`who is refused ${how}, because a colleague was quicker, is told and has no tab of it`, async () => {
    const met = await waiting();
    const late = await tess();
    await late.waitForState(met.session.id, 'waiting');
    await late.page.route(/\/pick-up$/, async (route) => {
      assert.equal((await met.technician.call('POST', `/sessions/${met.session.id}/pick-up`)).status, 200);
      await new Promise((resolve) => setTimeout(resolve, delay));
      await route.continue();
    });
    await late.row(met.session.id).locator('[data-testid="pick-up"]').click();
    await late.page.getByText('Somebody else was faster').first().waitFor();
    await late.waitForState(met.session.id, 'active');
    assert.equal(new URL(late.page.url()).hash.replace('#/', ''), '');
    assert.deepEqual([await late.at('tool-view').count(), await late.at('tab').count()], [0, 0]);
    await late.page.context().close();
    await finish(met);
  });
}
