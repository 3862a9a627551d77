// Step 3: the end user joins by PIN or link, sees who helps, and gets an applet with a session id of its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endUser, stack, tess } from './stack.mjs';
import { look } from './stack/browser.mjs';
import { readTag } from './stack/tag.mjs';

test('the PIN: wrong, right once, then used up', async () => {
  const technician = await tess();
  const { id, pin } = await technician.newSession();
  assert.match(pin, /^\d{6}$/);
  await look(technician.page, 'console-new-session');

  const user = await endUser();
  await user.tryPin(pin === '123456' ? '654321' : '123456', 'Erika Example');
  await user.at('join-error').waitFor();
  const wrong = await user.at('join-error').innerText();
  await look(user.page, 'join-wrong-pin');

  await user.joinByPin(pin, 'Erika Example');
  const page = await user.page.locator('body').innerText();
  assert.match(page, /Example GmbH/);
  assert.match(page, /Tess Example/);
  await look(user.page, 'join-ready');

  const second = await endUser();
  await second.tryPin(pin, 'Somebody Else');
  await second.at('join-error').waitFor();
  assert.equal(await second.at('join-error').innerText(), wrong, 'used and wrong are answered alike');

  const session = (await technician.details(id)).session;
  assert.equal(session.state, 'connecting');
  assert.equal(session.end_user_name, 'Erika Example');
  await technician.call('POST', `/sessions/${id}/end`);
  assert.deepEqual(user.page.complaints, []);
  for (const person of [technician, user, second]) await person.page.context().close();
});

test('the link: at least 128 random bits in the fragment, shows who helps before it is used, works once', async () => {
  const technician = await tess();
  const { id, link } = await technician.newSession();
  const { server } = await stack();
  const [address, token] = link.split('#');
  assert.equal(address, `${server.url}/join`);
  assert.ok(Buffer.from(token.split(/[=/]/).pop(), 'base64url').length >= 16, link);

  const user = await endUser();
  const requests = [];
  user.page.on('request', (request) => requests.push(request.url()));
  await user.page.goto(link);
  await user.page.getByText('Tess Example').first().waitFor();
  assert.match(await user.page.locator('body').innerText(), /Example GmbH/);
  await look(user.page, 'join-link');
  await user.joinByLink(link, 'Erika Example');
  assert.ok(requests.every((url) => !new URL(url).pathname.includes(token) && !new URL(url).search.includes(token)), 'the token went to the server in an address');

  const second = await endUser();
  await second.page.goto(link);
  await second.at('join-error').first().waitFor();
  await technician.call('POST', `/sessions/${id}/end`);
  for (const person of [technician, user, second]) await person.page.context().close();
});

test('the download carries the 128-bit session id; other platforms are named as coming and offer nothing', async () => {
  const { folder, server, accounts } = await stack();
  const technician = await tess();
  const ids = new Set();
  for (let round = 0; round < 2; round += 1) {
    const { id, pin } = await technician.newSession();
    await technician.closeInvitation();
    const user = await endUser();
    await user.joinByPin(pin, 'Erika Example');
    const offers = await user.page.evaluate(() => document.body.innerText);
    assert.match(offers, /Windows/);
    assert.match(offers, /macOS/);
    for (const platform of ['windows-x86_64', 'macos']) {
      await user.page.getByTestId(`platform-${platform}`).check({ force: true });
      assert.equal(await user.at('download-applet').count(), 0, `a download for ${platform} is offered`);
    }
    await look(user.page, 'join-other-platform');
    await user.page.getByTestId('platform-linux-x86_64').check({ force: true });
    const { file, name } = await user.download(folder);
    assert.match(name, /belay/i);
    const tag = readTag(file);
    assert.match(tag.session.session_authentication_id, /^[0-9a-f]{32}$/);
    assert.equal(tag.operator.origin, server.url);
    assert.match(tag.operator.anchors, /BEGIN CERTIFICATE/);
    assert.equal(tag.session.account, accounts.tess.account);
    ids.add(tag.session.session_authentication_id);
    await technician.call('POST', `/sessions/${id}/end`);
    await user.page.context().close();
  }
  assert.equal(ids.size, 2);
  await technician.page.context().close();
});
