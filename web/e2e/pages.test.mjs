// Every page as people see it: pictures in light and dark, English and German, on a desk and on a phone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TESS, active, finish, stack } from './stack.mjs';
import { byId, look } from './stack/browser.mjs';
import { EndUser, Technician } from './stack/people.mjs';

const DESK = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

for (const language of ['en-GB', 'de-DE']) {
  for (const colorScheme of ['light', 'dark']) {
    test(`pages, ${language}, ${colorScheme}`, async () => {
      const { chromium, server } = await stack();
      const tag = `${language.slice(0, 2)}-${colorScheme}`;
      for (const [device, viewport] of [['desk', DESK], ['phone', PHONE]]) {
        const page = await chromium.person({ locale: language, colorScheme, viewport });
        const technician = new Technician(page, server);
        await technician.open();
        await technician.at('sign-in-submit').waitFor();
        await look(page, `page-sign-in-${tag}-${device}`);
        await noSidewaysScroll(page);
        await technician.signIn(TESS);
        await look(page, `page-console-${tag}-${device}`);
        await noSidewaysScroll(page);
        const { id, pin } = await technician.newSession();
        await look(page, `page-invitation-${tag}-${device}`);

        const user = new EndUser(await chromium.person({ locale: language, colorScheme, viewport }), server);
        await user.page.goto(`${server.url}/join`);
        await user.at('join-pin').waitFor();
        await look(user.page, `page-join-${tag}-${device}`);
        await noSidewaysScroll(user.page);
        await user.joinByPin(pin, 'Erika Beispiel');
        await look(user.page, `page-join-ready-${tag}-${device}`);
        await noSidewaysScroll(user.page);
        const words = await user.page.locator('body').innerText();
        assert.match(words, language === 'de-DE' ? /Sie/ : /\byou/i);
        assert.equal(await user.page.evaluate(() => document.documentElement.lang), language.slice(0, 2));
        await technician.call('POST', `/sessions/${id}/end`);
        assert.deepEqual([...page.complaints, ...user.page.complaints], []);
        await page.context().close();
        await user.page.context().close();
      }
    });
  }
}

test('the keyboard alone signs in and makes a session', async () => {
  const { chromium, server } = await stack();
  const page = await chromium.person();
  const technician = new Technician(page, server);
  await technician.open();
  await byId(page, 'sign-in-id').focus();
  await page.keyboard.type(TESS.id);
  await page.keyboard.press('Tab');
  await page.keyboard.type(TESS.password);
  await page.keyboard.press('Enter');
  await byId(page, 'new-session').first().waitFor();
  for (let tabs = 0; tabs < 25; tabs += 1) {
    if (await page.evaluate(() => document.activeElement?.dataset.testid === 'new-session')) break;
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await byId(page, 'session-pin').waitFor();
  await page.context().close();
});

test('the session page in both languages while somebody is helped', async () => {
  const met = await active();
  const { page } = met.technician;
  for (const language of ['en', 'de']) {
    await byId(page, `language-${language}`).click();
    for (const [device, viewport] of [['desk', DESK], ['phone', PHONE]]) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        await look(page, `page-session-${language}-${colorScheme}-${device}`);
      }
      await noSidewaysScroll(page);
    }
    assert.match(await byId(page, 'link-state').innerText(), language === 'de' ? /Verbunden/ : /Connected/);
  }
  await finish(met);
});

async function noSidewaysScroll(page) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `the page is ${over} pixels too wide`);
}
