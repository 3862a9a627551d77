// A whole session between the console and an applet written here, over a gateway in memory.
import { afterEach, expect, test } from 'vitest';
import { gatewayUrl } from '../src/gateway';
import { type Surface } from '../src/screen/view';
import { Zstd } from '../src/screen/zstd';
import { ConsoleSession } from '../src/session';
import { utf8 } from '../src/wire/codec';
import { toHex } from '../src/wire/encoding';
import { encodePacket } from '../src/wire/link';
import { encodeMessage } from '../src/wire/message';
import { SEAL_KIND } from '../src/wire/seal';
import { FakeGateway } from './fake_gateway';
import { ACCOUNT, Applet, binding, charter, closeAll, connected, granted, openConsole, picture, until } from './world';
import { zstdOf } from './zstd_frames';

afterEach(closeAll);

test('connects, presents the charter, and both see the same security code', async () => {
  const { gateway, applet, session, log } = await connected();
  let code = '';
  session.on('security_code', (late) => (code = late));
  await until(() => code !== '');
  expect(code).toMatch(/^\d{6}$/);
  expect(code).toBe(applet.code);
  const sent = await applet.take('charter');
  expect(Buffer.from(sent.document).toString('base64')).toBe(charter().document);
  expect(gateway.hellos.map(({ role, account }) => [role, account])).toContainEqual(['console', ACCOUNT]);
  expect(log.slice(0, 4)).toEqual([
    'state connecting',
    'state waiting_for_applet',
    'state securing',
    'state connected',
  ]);
  expect(log).toContain('peer {"platform":"linux-x86_64","version":"0.1.0","language":"de"}');
  expect([session.rights, session.singlePrompt, session.path.kind]).toEqual([
    ['desktop_view', 'remote_control'],
    true,
    'relay',
  ]);
});

test('the gateway reads nothing of what is said', async () => {
  const { gateway, applet, session } = await connected();
  session.sendChat('a very secret line');
  expect((await applet.take('chat')).text).toBe('a very secret line');
  const all = Buffer.concat(gateway.frames.map(([, bytes]) => bytes));
  expect(all.includes('a very secret line')).toBe(false);
  expect(all.includes('Example GmbH')).toBe(false);
});

test('chat and typing, also before the applet is there', async () => {
  const gateway = new FakeGateway();
  const world = openConsole(gateway);
  const { id } = world.session.sendChat('early');
  const applet = new Applet(gateway);
  const early = await applet.take('chat');
  expect([early.text, toHex(early.line)]).toEqual(['early', id.replaceAll('-', '')]);
  world.session.setTyping(true);
  world.session.setTyping(true);
  world.session.setTyping(false);
  expect([(await applet.take('typing')).on, (await applet.take('typing')).on]).toEqual([true, false]);
  applet.send({ kind: 'chat', line: new Uint8Array(16), text: 'Guten Tag' });
  applet.send({ kind: 'typing', on: true });
  await until(() => world.log.includes('typing true'));
  expect(world.log).toContain('chat end_user Guten Tag');
  expect(applet.got.filter(({ kind }) => kind === 'typing')).toEqual([]);
  expect(() => world.session.sendChat('ä'.repeat(2049))).toThrow(RangeError);
});

test('a granted view opens the screen without another word, and what is drawn is acknowledged', async () => {
  const world = await connected();
  const { applet, shown, log } = world;
  await granted(world, ['desktop_view']);
  expect((await applet.take('screen_wanted')).monitor).toBe(255);
  const monitor = { id: 0, name: 'A', x: 0, y: 0, width: 8, height: 6, primary: true };
  applet.send({ kind: 'monitors', chosen: 255, list: [monitor] });
  applet.send(picture(1, 0));
  expect((await applet.take('screen_seen')).number).toBe(1);
  expect(shown).toEqual(expect.arrayContaining(['resize 8 6', 'draw 1', 'cursor view']));
  expect(log).toContain('size 8 6');
  applet.send(picture(3, 2));
  await applet.take('screen_resync');
  applet.send(picture(4, 0, Uint8Array.of(99)));
  await applet.take('screen_resync');
  applet.send(picture(5, 0));
  expect((await applet.take('screen_seen')).number).toBe(5);
  const rgba = zstdOf(new Uint8Array(16));
  applet.send({ kind: 'cursor_shape', hotX: 0, hotY: 0, width: 2, height: 2, rgbaZstd: rgba });
  applet.send({ kind: 'cursor_position', x: 3, y: 4 });
  await until(() => shown.includes('cursor at 3 4') && shown.includes('cursor 2'));
  world.session.selectMonitor(0);
  expect((await applet.take('screen_open')).monitor).toBe(0);
  expect(applet.got.filter(({ kind }) => kind === 'screen_open')).toEqual([]);
});

test('another monitor chosen while the end user is asked is opened by its own word', async () => {
  const world = await connected();
  const { applet } = world;
  world.session.request(['desktop_view']);
  const { request } = await applet.take('request');
  expect((await applet.take('screen_wanted')).monitor).toBe(255);
  world.session.selectMonitor(1);
  applet.send({ kind: 'decision', request, rights: ['desktop_view'], outcome: 'granted' });
  expect((await applet.take('screen_open')).monitor).toBe(1);
});

test('video is asked for where it is decoded, and no longer when it fails again and again', async () => {
  const plain = await connected();
  await granted(plain, ['desktop_view']);
  expect((await plain.applet.take('screen_wanted')).video).toBe('none');

  const decoder = { decode: () => Promise.reject(new Error('broken')), close: () => undefined };
  const world = await connected(false, { films: Promise.resolve(() => decoder) });
  const { applet } = world;
  await granted(world, ['desktop_view']);
  expect((await applet.take('screen_wanted')).video).toBe('av1');
  // A key frame of one byte for all of the picture.
  const film = Uint8Array.of(5, 0, 1, 0, 0, 0, 0, 0, 8, 0, 6, 0, 0, 0, 1, 0, 0, 0, 1, 9);
  applet.send(picture(1, 0, film));
  await applet.take('screen_resync');
  applet.send(picture(2, 0, film));
  expect((await applet.take('screen_open')).video).toBe('none');
  applet.send(picture(1, 0));
  expect((await applet.take('screen_seen')).number).toBe(1);
  expect(applet.got.filter(({ kind }) => kind === 'screen_resync')).toEqual([]);
});

test('when view is withdrawn the picture goes, and late updates are not shown', async () => {
  const world = await connected();
  const { applet, shown, log } = world;
  await granted(world, ['desktop_view', 'remote_control']);
  applet.send(picture(1, 0));
  await applet.take('screen_seen');
  applet.send({ kind: 'withdrawn', rights: ['remote_control', 'desktop_view'], cause: 'end_user' });
  applet.send(picture(2, 0));
  applet.send({ kind: 'typing', on: true });
  await until(() => log.includes('typing true'));
  expect(log.slice(-3)).toEqual([
    'consent desktop_view withdrawn',
    'consent remote_control withdrawn',
    'typing true',
  ]);
  expect(shown.lastIndexOf('clear')).toBeGreaterThan(shown.findLastIndex((line) => line.startsWith('draw')));
});

test('how a right ended is told by its cause', async () => {
  const world = await connected();
  const { applet, log } = world;
  for (const [cause, state] of [['offline', 'offline'], ['failure', 'failed'], ['end_user', 'withdrawn'], ['technician', 'none']] as const) {
    await granted(world, ['desktop_view']);
    log.length = 0;
    applet.send({ kind: 'withdrawn', rights: ['desktop_view'], cause });
    await until(() => log.includes(`consent desktop_view ${state}`));
  }
});

test('input goes only while control is granted', async () => {
  const world = await connected();
  const { applet, session, input } = world;
  const detach = session.attachInput({} as HTMLElement);
  input.target?.send({ kind: 'text', text: 'too early' });
  session.typeText('too early');
  await granted(world, ['desktop_view']);
  await granted(world, ['remote_control']);
  input.target?.send({ kind: 'move', at: { monitor: 255, x: 1, y: 2 } });
  session.sendCombination('ctrl_alt_del');
  session.typeText('x'.repeat(5000));
  expect(await applet.take('move')).toMatchObject({ at: { monitor: 255, x: 1, y: 2 } });
  await applet.take('combination');
  expect([(await applet.take('text')).text.length, (await applet.take('text')).text.length]).toEqual([4096, 904]);
  detach();
  await applet.take('release_all');
  session.release('remote_control');
  expect((await applet.take('release')).rights).toEqual(['remote_control']);
  input.target?.send({ kind: 'text', text: 'too late' });
  session.sendChat('last');
  await applet.take('chat');
  expect(applet.got.filter(({ kind }) => kind === 'text')).toEqual([]);
});

test('every outcome of a request', async () => {
  const world = await connected();
  const { applet, session, log } = world;
  const cases = [
    ['refused', 'refused'],
    ['timed_out', 'timed_out'],
    ['busy', 'timed_out'],
    ['not_allowed', 'not_allowed'],
    ['out_of_order', 'not_allowed'],
  ] as const;
  for (const [outcome, state] of cases) {
    log.length = 0;
    session.request(['desktop_view']);
    session.request(['desktop_view']);
    const { request } = await applet.take('request');
    applet.send({ kind: 'decision', request, rights: ['desktop_view'], outcome });
    await until(() => log.length === 2);
    expect(log).toEqual(['consent desktop_view asking', `consent desktop_view ${state}`]);
  }
  expect(applet.got.filter(({ kind }) => kind === 'request')).toEqual([]);
});

test('a request taken back is cancelled, and a grant that crosses it is given back', async () => {
  const { applet, session, log } = await connected();
  session.request(['desktop_view']);
  const { request } = await applet.take('request');
  session.release('desktop_view');
  expect((await applet.take('cancel')).request).toBe(request);
  applet.send({ kind: 'decision', request, rights: ['desktop_view'], outcome: 'granted' });
  expect((await applet.take('release')).rights).toEqual(['desktop_view']);
  expect(log).not.toContain('consent desktop_view granted');
});

test('giving view back ends control too', async () => {
  const world = await connected();
  await granted(world, ['desktop_view', 'remote_control']);
  world.session.release('desktop_view');
  expect((await world.applet.take('release')).rights).toEqual(['desktop_view']);
  expect(world.log.slice(-2)).toEqual(['consent desktop_view none', 'consent remote_control none']);
});

test('a refused charter allows nothing to be asked', async () => {
  const { applet, session, log } = await connected();
  applet.send({ kind: 'charter_checked', verdict: 'foreign' });
  await until(() => log.includes('state connected charter_foreign'));
  expect(session.rights).toEqual([]);
  session.request(['desktop_view']);
  expect(log.at(-1)).toBe('consent desktop_view not_allowed');
});

test('a ticket of another session leads nowhere', async () => {
  const gateway = new FakeGateway();
  gateway.session = '99999999-89ab-cdef-0001-020304050607';
  const { log } = openConsole(gateway);
  await until(() => log.includes('state lost foreign_session'));
  expect(gateway.frames).toEqual([]);
});

test('keys that differ are noticed: told by the applet, or by what does not open', async () => {
  const gateway = new FakeGateway();
  const { log } = openConsole(gateway);
  const applet = new Applet(gateway, false, undefined, undefined, new Uint8Array(32).fill(6));
  await until(() => log.includes('state lost broken_keys'));
  expect(applet.broken).toMatch(/other keys/);
});

test('somebody who says that keys differ after they were used is not believed, and counted', async () => {
  const { gateway, applet, session, log } = await connected();
  gateway.say('console', { kind: 'frame', bytes: Uint8Array.of(SEAL_KIND.keys_differ) });
  session.sendChat('still here');
  await applet.take('chat');
  await until(() => session.path.interference.forged === 1);
  expect(log.filter((line) => line.startsWith('state lost'))).toEqual([]);
});

test('the technician ends: the applet hears of it before the leg goes', async () => {
  const world = await connected();
  const { gateway, applet, session, log } = world;
  await granted(world, ['desktop_view', 'remote_control']);
  session.attachInput({} as HTMLElement);
  session.end();
  session.close();
  expect((await applet.take('end')).by).toBe('technician');
  await until(() => gateway.byes.length > 0);
  expect(gateway.byes).toEqual([['console', 'ended_by_technician']]);
  expect(applet.got.map(({ kind }) => kind)).toContain('release_all');
  expect(log.filter((line) => line.startsWith('ended'))).toEqual(['ended technician']);
});

test('the end user ends', async () => {
  const world = await connected();
  await granted(world, ['desktop_view']);
  world.applet.send({ kind: 'end', by: 'end_user' });
  await until(() => world.log.includes('ended end_user'));
  expect(world.log).toContain('state ended');
  expect(world.shown.at(-1)).toBe('cursor closed');
  expect(world.log).toContain('consent desktop_view none');
});

test('closing the page leaves the session alive', async () => {
  const { gateway, session, log } = await connected();
  session.close();
  await until(() => gateway.byes.length > 0);
  expect(gateway.byes).toEqual([['console', 'closed']]);
  expect(log.filter((line) => line.startsWith('ended'))).toEqual([]);
});

test('the last words before a leaving are heard', async () => {
  const { applet, log } = await connected();
  applet.send({ kind: 'chat', line: new Uint8Array(16), text: 'goodbye' });
  await applet.channel.byeAfterSending('closed');
  await until(() => log.includes('state waiting_for_applet partner_closed'));
  expect(log.slice(-2)).toEqual(['chat end_user goodbye', 'state waiting_for_applet partner_closed']);
});

test('a leg that is replaced has ended', async () => {
  const { gateway, log } = await connected();
  gateway.say('console', { kind: 'refused', refusal: 'replaced' });
  await until(() => log.includes('ended lost'));
  expect(log).toContain('state ended refused_replaced');
});

test.each<[string, (applet: Applet) => void, string]>([
  ['an unknown message', (applet) => applet.channel.sendBytes('ordered', Uint8Array.of(0xee)), 'breach'],
  [
    'a message that only a console may send',
    (applet) => applet.channel.sendBytes('ordered', encodeMessage({ kind: 'screen_open', monitor: 0, video: 'none' })),
    'breach',
  ],
  [
    'a message in the wrong class',
    (applet) => applet.channel.sendBytes('cursor', encodeMessage({ kind: 'typing', on: true })),
    'breach',
  ],
  ['a malformed packet', (applet) => applet.channel.sendPacket(utf8('nonsense')), 'breach'],
  [
    'an acknowledgement of what was never sent',
    (applet) => applet.channel.sendPacket(encodePacket([{ kind: 'ack', class: 'ordered', next: 1000, ranges: [] }])),
    'breach',
  ],
])('%s is a breach', async (_, misbehave, detail) => {
  const { applet, log } = await connected();
  misbehave(applet);
  await until(() => log.some((line) => line.startsWith('state lost')));
  expect(log.find((line) => line.startsWith('state lost'))).toMatch(new RegExp(`state lost (${detail}|broken_.*)`));
});

test('a gateway that breaks the protocol is left', async () => {
  const { gateway, log } = await connected();
  gateway.say('console', Uint8Array.of(0x7f));
  await until(() => log.includes('state lost protocol'));
});

test('gateways are tried in turn', async () => {
  const gateway = new FakeGateway();
  gateway.refusals.push('unreachable', 'full');
  const { log } = openConsole(gateway, ['not an address', 'wss://a.example', 'https://b.example', 'wss://c.example/x']);
  await until(() => log.includes('state waiting_for_applet'));
  expect(gateway.hellos.map(({ url }) => url)).toEqual(['wss://b.example/gateway/v1', 'wss://c.example/x']);
});

test('a refusal that no other gateway would mend is final', async () => {
  const gateway = new FakeGateway();
  gateway.refusals.push('expired');
  const { log } = openConsole(gateway, ['wss://a.example', 'wss://b.example']);
  await until(() => log.includes('state lost refused_expired'));
  expect(gateway.hellos).toHaveLength(1);
});

test('without a gateway that answers, it says so', async () => {
  const gateway = new FakeGateway();
  gateway.refusals.push('unreachable');
  const { log } = openConsole(gateway);
  await until(() => log.includes('state lost unreachable'));
  const none = openConsole(gateway, []);
  await until(() => none.log.includes('state lost unreachable'));
});

test('options that make no sense are refused at once', () => {
  const gateway = new FakeGateway();
  const parts = { surface: {} as Surface, zstd: Zstd.create(), connect: gateway.connect, version: '', platform: '' };
  const good = { gateways: [], ticket: '', sessionId: '', binding: toHex(binding), charter: charter() };
  expect(() => new ConsoleSession({ ...good, charter: { document: 'e30=', signature: '' } }, parts)).toThrow(RangeError);
  expect(() => new ConsoleSession({ ...good, binding: 'xyz' }, parts)).toThrow(RangeError);
  expect(() => new ConsoleSession({ ...good, ticket: '***' }, parts)).toThrow(RangeError);
});

test('addresses of gateways', () => {
  expect(gatewayUrl('https://support.example')).toBe('wss://support.example/gateway/v1');
  expect(gatewayUrl('wss://support.example:8443/gateway/v1')).toBe('wss://support.example:8443/gateway/v1');
  expect(gatewayUrl('ws://127.0.0.1:1/')).toBe('ws://127.0.0.1:1/gateway/v1');
  expect(() => gatewayUrl('support.example')).toThrow(TypeError);
});
