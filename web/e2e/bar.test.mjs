// The bar on the end user's screen: it stays within the main monitor, whatever the names are, and can always be used.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { granted, notGranted, stack, waiting } from './stack.mjs';
import { SCREENSHOTS } from './stack/browser.mjs';
import { HEIGHT, WIDTH } from './stack/desktop.mjs';
import { Technician } from './stack/people.mjs';
import { sleep, until } from './stack/processes.mjs';

const NARROW = 800;
const LONG = {
  name: 'Gesellschaft für Beispiele und Musterhaftes mit sehr langem Namen',
  id: 'long@example.net',
  owner: 'Maximiliane-Bartholomäa von und zu Hohenmuster-Beispielhausen II',
  password: 'long-Names-fit-as-well',
};

test('the bar fits, whatever the names in it are', async (t) => {
  const { server, desktop, chromium } = await stack();
  await server.account(LONG);
  const monitor = (width) => desktop.tool('xrandr', ['--setmonitor', 'MAIN', `${width}/200x${HEIGHT}/200+0+0`, 'screen']);

  for (const [language, locale, title] of [['en_GB.UTF-8', 'en-GB', /what is shared/i], ['de_DE.UTF-8', 'de-DE', /gerade freigegeben/i]]) {
    await t.test(language, async () => {
      const technician = new Technician(await chromium.person({ locale }), server);
      await technician.signIn(LONG);
      const { session, applet } = await waiting({ technician, language });
      await technician.pickUp(session.id);
      /** Looks at the bar once it is where it stays. */
      const bar = async (name, width) => {
        const found = await until('the bar', async () => Object.entries(await applet.windows()).find(([, text]) => title.test(text))?.[0]);
        let place;
        await until(`the bar within ${width} pixels`, async () => {
          place = await desktop.place(found);
          return place.x >= 0 && place.x + place.width <= width && Math.abs(2 * place.x + place.width - width) <= 2;
        }).catch((error) => { throw new Error(`${error.message}: ${JSON.stringify(place)}`); });
        await sleep(200);
        await desktop.tool('import', ['-silent', '-window', found, join(SCREENSHOTS, `bar-${name}-${locale}.png`)]);
        return place;
      };

      await technician.at('tool-view').click();
      await applet.allow();
      await granted(technician, 'tool-view');
      await bar('view', WIDTH);

      await technician.at('tool-control').click();
      await applet.allow();
      await granted(technician, 'tool-control');
      const wide = await bar('control', WIDTH);

      await technician.at('tool-control').click();
      await notGranted(technician, 'tool-control');
      await monitor(NARROW);
      await technician.at('tool-control').click();
      await applet.allow();
      await granted(technician, 'tool-control');
      const narrow = await bar('narrow', NARROW);
      assert.ok(narrow.height > wide.height, `the buttons stand below: ${JSON.stringify([wide, narrow])}`);

      await desktop.tool('xrandr', ['--delmonitor', 'MAIN']);
      // Through the console: the gateway hears of an account as young as this one a little later.
      await technician.end();
      assert.equal(await applet.exit(), 0);
      await technician.page.context().close();
    });
  }
});
