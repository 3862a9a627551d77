// Lost connections: of the console, of the applet, of both, at any moment; and what a hostile gateway makes of them.
import { afterEach, expect, test, vi } from 'vitest';
import { Seal } from '../src/seal';
import { type Bytes } from '../src/wire/codec';
import { fromHex } from '../src/wire/encoding';
import { type Message } from '../src/wire/message';
import { SEAL_KIND } from '../src/wire/seal';
import { FakeGateway } from './fake_gateway';
import { Random } from './random';
import { Applet, binding, closeAll, connected, granted, openConsole, picture, until, type World } from './world';

afterEach(closeAll);

const connections = (log: string[]): number => log.filter((line) => line === 'state connected').length;
/** The website: a cut in the moment of admission uses a return ticket up without giving the next. */
const renew = async (): Promise<{ gateways: string[]; ticket: string }> => ({
  gateways: ['wss://gateway.example'],
  ticket: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url'),
});
const chats = (got: readonly Message[]): string[] =>
  got.flatMap((message) => (message.kind === 'chat' ? [message.text] : []));

async function backTo(world: World, count: number): Promise<void> {
  await until(() => connections(world.log) === count, `connection ${count}`);
}

test.each(['console', 'applet'])('a lost connection of the %s is made again, and nothing is lost', async (lost) => {
  const world = await connected(true);
  const { gateway, applet, session, log } = world;
  await granted(world, ['desktop_view', 'remote_control']);
  session.sendChat('before');
  applet.got.length = 0;
  gateway.cut(lost);
  session.sendChat('just after');
  await until(() => log.some((line) => line.startsWith('state reconnecting')));
  session.sendChat('meanwhile');
  applet.send({ kind: 'chat', line: new Uint8Array(16), text: 'from there' });
  await backTo(world, 2);
  await until(() => chats(applet.got).length === 3 && log.includes('chat end_user from there'));
  expect(chats(applet.got)).toEqual(['before', 'just after', 'meanwhile']);
  const by = lost === 'console' ? 'gateway' : 'partner';
  expect(log).toContain(`state reconnecting ${by}`);
  expect([applet.pairings, applet.resumptions]).toEqual([1, 1]);
  // The grants stay, and the same code with them.
  expect(log.filter((line) => /consent .* (none|withdrawn)/.test(line))).toEqual([]);
  await applet.take('release_all');
  await applet.take('screen_resync');
});

test('a connection that dies without a word is replaced by a second one, and nothing is lost', async () => {
  const world = await connected(true);
  const { gateway, applet, session, log } = world;
  await granted(world, ['desktop_view']);
  session.sendChat('before');
  await until(() => chats(applet.got).length === 1);
  const consoles = (): number => gateway.hellos.filter(({ role }) => role === 'console').length;
  // What an answer takes is known once pings were answered.
  await until(() => session.path.roundTrip !== undefined, 'an answer');
  const before = consoles();
  gateway.mute('console');
  session.sendChat('into the dark');
  const since = performance.now();
  await until(() => chats(applet.got).length === 2, 'the second connection');
  // Without it, ten seconds of silence are waited for.
  expect(performance.now() - since).toBeLessThan(6000);
  expect(consoles() - before).toBe(1);
  expect([applet.pairings, applet.resumptions]).toEqual([1, 1]);
  expect(log.filter((line) => /consent .* (none|withdrawn)/.test(line))).toEqual([]);
});

test('while the partner is silent and not the gateway, the connection is made anew once and not again and again', async () => {
  const world = await connected(true);
  const { gateway, session } = world;
  await granted(world, ['desktop_view']);
  await until(() => session.path.roundTrip !== undefined, 'an answer');
  const consoles = (): number => gateway.hellos.filter(({ role }) => role === 'console').length;
  const before = consoles();
  gateway.mute('applet');
  session.sendChat('into the dark');
  await new Promise((resolve) => setTimeout(resolve, 5000));
  expect(consoles() - before).toBeLessThanOrEqual(1);
}, 15_000);

test('the picture stays until a whole new one comes, and input is taken up again', async () => {
  const world = await connected(true);
  const { gateway, applet, session, shown, input } = world;
  await granted(world, ['desktop_view', 'remote_control']);
  session.attachInput({} as HTMLElement);
  applet.send(picture(1, 0));
  await applet.take('screen_seen');
  shown.length = 0;
  for (let count = 0; count < 400; count += 1) gateway.refusals.push('unavailable');
  gateway.cut('console');
  await until(() => shown.includes('detached'));
  input.target?.send({ kind: 'text', text: 'typed blindly' });
  gateway.refusals.length = 0;
  await backTo(world, 2);
  expect(shown).toEqual(['detached', 'attached']);
  input.target?.send({ kind: 'text', text: 'seen' });
  expect((await applet.take('text')).text).toBe('seen');
  await applet.take('screen_resync');
  applet.send(picture(7, 6));
  applet.send(picture(8, 0));
  expect((await applet.take('screen_seen')).number).toBe(8);
  expect(applet.got.filter(({ kind }) => kind === 'screen_resync')).toEqual([]);
  const kinds = applet.got.map(({ kind }) => kind);
  expect(kinds.indexOf('release_all')).toBeGreaterThanOrEqual(0);
});

test('an interruption that nobody can see takes no key from who is typing', async () => {
  const world = await connected(true);
  const { gateway, applet, session, log, shown, input } = world;
  await granted(world, ['desktop_view', 'remote_control']);
  session.attachInput({} as HTMLElement);
  shown.length = 0;
  gateway.cut('console');
  await until(() => log.some((line) => line.startsWith('state reconnecting')));
  input.target?.send({ kind: 'text', text: 'typed meanwhile' });
  await backTo(world, 2);
  input.target?.send({ kind: 'text', text: 'typed after' });
  expect((await applet.take('text')).text).toBe('typed meanwhile');
  expect((await applet.take('text')).text).toBe('typed after');
  expect(shown).toEqual([]);
});

test('an applet that holds no seal any more begins anew: no grants, the charter again, lines once more', async () => {
  const world = await connected(true);
  const { gateway, session, log, shown } = world;
  await granted(world, ['desktop_view']);
  const codes: string[] = [];
  session.on('security_code', (code) => codes.push(code));
  world.applet.channel.bye('lost');
  await until(() => log.includes('state reconnecting partner'));
  session.sendChat('not heard by the first');
  expect(log).not.toContain('consent desktop_view none');
  const second = new Applet(gateway, true);
  await backTo(world, 2);
  world.applet = second;
  await second.take('charter');
  expect((await second.take('chat')).text).toBe('not heard by the first');
  expect(log).toContain('consent desktop_view none');
  expect(shown).toContain('clear');
  await until(() => codes.at(-1) === second.code);
  expect(gateway.frames.some(([role, [kind]]) => role === 'applet' && kind === SEAL_KIND.unknown)).toBe(true);
  await granted(world, ['desktop_view']);
  expect(second.pairings).toBe(1);
});

test('an answer to the console before does not leave the next one with keys that nobody else has', async () => {
  const world = await connected(true);
  const { gateway, session, log } = world;
  const early = gateway.frames.find(([role, [kind]]) => role === 'applet' && kind === SEAL_KIND.answer)![1];
  world.applet.channel.bye('lost');
  await until(() => log.includes('state reconnecting partner'));
  let answers = 0;
  gateway.tamper = (role, bytes) => {
    const late = role === 'applet' && bytes[0] === SEAL_KIND.answer && (answers += 1) === 1;
    return late ? [early, bytes] : [bytes];
  };
  const codes: string[] = [];
  session.on('security_code', (code) => codes.push(code));
  const second = new Applet(gateway, true);
  await second.take('charter');
  session.sendChat('heard');
  expect((await second.take('chat')).text).toBe('heard');
  expect([answers, second.broken, codes.at(-1)]).toEqual([2, undefined, second.code]);
});

test('a partner that leaves on purpose is not waited for', async () => {
  const world = await connected(true);
  await granted(world, ['desktop_view']);
  world.applet.channel.bye('closed');
  await until(() => world.log.includes('state waiting_for_applet partner_closed'));
  expect(world.log).toContain('consent desktop_view none');
});

test('when the return ticket is no longer taken, the website gives another', async () => {
  const gateway = new FakeGateway();
  const applet = new Applet(gateway, true);
  const fresh = Buffer.alloc(32, 77).toString('base64url');
  let asked = 0;
  const sparingly = async (): Promise<{ gateways: string[]; ticket: string }> => {
    asked += 1;
    if (asked === 1) throw new Error('the website is being restarted');
    return { gateways: ['wss://other.example'], ticket: fresh };
  };
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const world = { gateway, applet, ...openConsole(gateway, undefined, { renew: sparingly }) };
  await backTo(world, 1);
  gateway.tickets.clear();
  gateway.cut('console');
  await backTo(world, 2);
  warn.mockRestore();
  expect(asked).toBe(2);
  expect(gateway.hellos.at(-1)).toMatchObject({ url: 'wss://other.example/gateway/v1', credential: Uint8Array.from(Buffer.alloc(32, 77)) }); // prettier-ignore
  expect([applet.pairings, applet.resumptions]).toEqual([1, 1]);
});

test('without another ticket it is said that the connection is lost', async () => {
  const world = await connected(true);
  world.gateway.tickets.clear();
  world.gateway.cut('console');
  await until(() => world.log.includes('state lost refused_used'));
});

test('a leg put out for good does not come back', async () => {
  const world = await connected(true);
  world.gateway.say('console', { kind: 'refused', refusal: 'replaced' });
  await until(() => world.log.includes('ended lost'));
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(world.gateway.hellos.filter(({ role }) => role === 'console')).toHaveLength(1);
});

test('it is offline after a while, goes on trying, and comes back', async () => {
  const world = await connected(true, { offlineAfter: 40 });
  const { gateway, log } = world;
  const since: (Date | undefined)[] = [];
  world.session.on('state', (state, _, at) => {
    if (state === 'reconnecting' || state === 'offline') since.push(at);
  });
  for (let count = 0; count < 40; count += 1) gateway.refusals.push('unavailable');
  gateway.cut('console');
  await until(() => log.includes('state offline gateway'));
  expect(new Set(since).size).toBe(1);
  gateway.refusals.length = 0;
  await backTo(world, 2);
});

test('news of the network cut the pause short', async () => {
  const world = await connected(true, { returning: { pauses: [60_000] } });
  const { gateway, log, network } = world;
  network('down');
  await until(() => log.includes('state reconnecting gateway'));
  await backTo(world, 2);
  gateway.cut('console');
  await until(() => log.filter((line) => line === 'state reconnecting gateway').length === 2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(connections(log)).toBe(2);
  network('up');
  await backTo(world, 3);
});

test('a connection of which nobody says that it is dead is noticed', async () => {
  const world = await connected(true, { returning: { silence: 100 } });
  const { gateway, applet, session, log } = world;
  for (let line = 0; line < 3; line += 1) {
    await new Promise((resolve) => setTimeout(resolve, 60));
    session.sendChat(`${line}`);
  }
  await until(() => chats(applet.got).length === 3);
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(log).not.toContain('state reconnecting gateway');
  gateway.tamper = () => [];
  session.sendChat('into the void');
  await until(() => log.includes('state reconnecting gateway'));
  gateway.tamper = undefined;
  gateway.cut('console');
  await backTo(world, 2);
  await until(() => chats(applet.got).at(-1) === 'into the void');
});

test.each([1, 2, 3, 4])('seed %i: connections cut at random moments, every line and key once and in order', async (seed) => {
  const random = new Random(seed);
  const world = await connected(true, { renew });
  const { gateway, applet, session, log, input } = world;
  await granted(world, ['desktop_view', 'remote_control']);
  session.attachInput({} as HTMLElement);
  applet.got.length = 0;
  const said = { technician: [] as string[], endUser: [] as string[], typed: [] as string[] };
  let cuts = 0;
  let drawn = 0;
  for (let step = 0; step < 2500; step += 1) {
    const dice = random.below(100);
    if (dice < 25) {
      said.technician.push(`t${step}`);
      session.sendChat(`t${step}`);
    } else if (dice < 50) {
      said.endUser.push(`e${step}`);
      applet.send({ kind: 'chat', line: random.bytes(16), text: `e${step}` });
    } else if (dice < 75) {
      if (log.findLast((line) => line.startsWith('state ')) === 'state connected') {
        said.typed.push(`k${step}`);
        input.target?.send({ kind: 'text', text: `k${step}` });
      }
    } else if (dice < 85) {
      drawn += 1;
      applet.send(picture(drawn, 0));
    } else if (dice < 88) {
      cuts += 1;
      gateway.cut(random.chance(50) ? 'console' : 'applet');
    } else if (dice < 89) {
      cuts += 1;
      gateway.cut('console');
      gateway.cut('applet');
    }
    if (random.chance(30)) await new Promise((resolve) => setTimeout(resolve, random.below(3)));
  }
  await until(
    () => log.findLast((line) => line.startsWith('state ')) === 'state connected' && chats(applet.got).at(-1) === said.technician.at(-1),
    'the end',
  );
  applet.send({ kind: 'chat', line: random.bytes(16), text: 'last' });
  await until(() => log.includes('chat end_user last'));
  expect(cuts).toBeGreaterThan(50);
  expect(applet.resumptions).toBeGreaterThan(20);
  expect(applet.pairings).toBe(1);
  expect(chats(applet.got)).toEqual(said.technician);
  expect(applet.got.flatMap((message) => (message.kind === 'text' ? [message.text] : []))).toEqual(said.typed);
  expect(log.filter((line) => line.startsWith('chat ')).slice(0, -1)).toEqual(said.endUser.map((line) => `chat end_user ${line}`)); // prettier-ignore
  const resyncs = applet.got.filter(({ kind }) => kind === 'screen_resync').length;
  expect(resyncs).toBeGreaterThanOrEqual(connections(log) - 1);
  applet.send(picture(drawn + 1, 0));
  await until(() => applet.got.some((message) => message.kind === 'screen_seen' && message.number === drawn + 1));
  expect([applet.broken, log.filter((line) => /lost|ended/.test(line))]).toEqual([undefined, []]);
}, 60_000);

test.each([1, 2])('seed %i: applets that also forget, every line arrives, at most in two pairings', async (seed) => {
  const random = new Random(seed);
  const world = await connected(true, { renew });
  const { gateway, session } = world;
  const all: Applet[] = [world.applet];
  const said: string[] = [];
  for (let step = 0; step < 600; step += 1) {
    if (random.chance(60)) {
      said.push(`t${step}`);
      session.sendChat(`t${step}`);
    }
    if (random.chance(2)) gateway.cut(random.chance(50) ? 'console' : 'applet');
    if (random.chance(1)) {
      all.at(-1)!.channel.bye('lost');
      all.push(new Applet(gateway, true));
    }
    await new Promise((resolve) => setTimeout(resolve, random.below(3)));
  }
  const last = all.at(-1)!;
  await until(() => chats(last.got).at(-1) === said.at(-1), 'the last line');
  expect(all.length).toBeGreaterThan(2);
  const heard = all.flatMap((applet) => chats(applet.got));
  // A line of which the acknowledgement died with its applet is said again to the next one; none is left out.
  expect(new Set(heard)).toEqual(new Set(said));
  for (const applet of all) {
    const own = chats(applet.got);
    expect(own).toEqual(said.filter((line) => own.includes(line)));
  }
}, 60_000);

/** Everything that was ever sealed by the applet in this world. */
function sealedByApplet(gateway: FakeGateway): Bytes[] {
  return gateway.frames.filter(([role, [kind]]) => role === 'applet' && kind === SEAL_KIND.sealed).map(([, bytes]) => bytes);
}

test('a gateway that replays old frames after a resumption opens nothing, and is counted', async () => {
  const world = await connected(true);
  const { gateway, applet, log, session } = world;
  for (let line = 0; line < 60; line += 1) applet.send({ kind: 'chat', line: new Uint8Array(16).fill(line), text: `${line}` });
  await until(() => log.includes('chat end_user 59'));
  gateway.cut('console');
  await backTo(world, 2);
  const before = log.length;
  const old = sealedByApplet(gateway).slice(0, 60);
  for (let round = 0; round < 2; round += 1) for (const bytes of old) gateway.say('console', { kind: 'frame', bytes });
  await until(() => session.path.interference.repeated === 2 * old.length);
  expect(log.slice(before).filter((line) => /^chat|^state lost/.test(line))).toEqual([]);
  session.sendChat('and on');
  await until(() => chats(applet.got).length === 1);
});

test('frames of another session do not make a resumption', async () => {
  const [world, other] = [await connected(true), await connected(true)];
  for (let line = 0; line < 120; line += 1) {
    other.applet.send({ kind: 'chat', line: new Uint8Array(16).fill(line), text: 'of another session' });
  }
  await until(() => other.log.filter((line) => line.startsWith('chat')).length === 120);
  const foreign = sealedByApplet(other.gateway);
  const { gateway, log } = world;
  gateway.tamper = (role) => (role === 'console' ? [] : foreign.slice(0, 1));
  gateway.cut('console');
  await until(() => log.includes('state reconnecting partner'));
  for (const bytes of foreign) gateway.say('console', { kind: 'frame', bytes });
  await until(() => log.includes('state lost broken_failures'));
  expect(connections(log)).toBe(1);
  expect(log.filter((line) => line.startsWith('chat'))).toEqual([]);
});

test('what was still being opened when the partner came back does not count as its word', async () => {
  const world = await connected(true);
  const { gateway, applet, log } = world;
  gateway.tamper = () => [];
  for (let line = 0; line < 300; line += 1) {
    applet.send({ kind: 'chat', line: new Uint8Array(16).fill(line & 255), text: `${line}` });
  }
  const before = sealedByApplet(gateway).length;
  await until(() => sealedByApplet(gateway).length - before >= 300);
  for (const bytes of sealedByApplet(gateway).slice(-300)) gateway.say('console', { kind: 'frame', bytes });
  gateway.say('console', { kind: 'partner_left', reason: 'lost' });
  gateway.say('console', { kind: 'paired', pairing: 2 });
  gateway.say('console', { kind: 'frame', bytes: Uint8Array.of(SEAL_KIND.unknown) });
  await until(() => log.filter((line) => line === 'state securing').length === 2);
  expect(connections(log)).toBe(1);
});

test('a gateway that says "unknown" while the seal is in use changes nothing', async () => {
  const world = await connected(true);
  const { gateway, applet, session, log } = world;
  gateway.say('console', { kind: 'frame', bytes: Uint8Array.of(SEAL_KIND.unknown) });
  session.sendChat('still here');
  await applet.take('chat');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([connections(log), applet.pairings]).toEqual([1, 1]);
  expect(log.filter((line) => line === 'state securing')).toHaveLength(1);
});

/** A gateway that plays the applet towards the console, with keys of its own, as far as it can. */
function impostor(world: World, itsBinding: Bytes): { code: () => string | undefined; opened: Bytes[] } {
  const { gateway } = world;
  const opened: Bytes[] = [];
  let code: string | undefined;
  let committed = false;
  const say = (bytes: Bytes): void => gateway.say('console', { kind: 'frame', bytes });
  const seal = new Seal(
    { role: 'applet', binding: itsBinding },
    { frame: say, packet: (packet) => void opened.push(packet), ready: (made) => (code = made), broken: () => undefined },
  );
  seal.start();
  gateway.tamper = (role, bytes) => {
    if (role !== 'console') return [];
    committed ||= bytes[0] === SEAL_KIND.commit;
    if (!committed) say(Uint8Array.of(SEAL_KIND.unknown));
    else seal.receive(bytes);
    return [];
  };
  return { code: () => code, opened };
}

test('a gateway that swaps keys on the reconnection reads nothing: it does not know what the charter is bound to', async () => {
  const world = await connected(true);
  const { gateway, session, log } = world;
  await granted(world, ['desktop_view']);
  const thief = impostor(world, fromHex('00'.repeat(32)));
  gateway.cut('console');
  session.sendChat('a secret line');
  await until(() => log.filter((line) => line === 'state securing').length === 2 && thief.code() !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(thief.opened).toEqual([]);
  // The technician sees that it is not connected, and no right is left.
  expect(log.filter((line) => line.startsWith('state')).at(-1)).toBe('state securing');
  expect(log).toContain('consent desktop_view none');
});

test('one that knows even that is betrayed by the security code, and has no grants', async () => {
  const world = await connected(true);
  const { gateway, applet, session, log } = world;
  await granted(world, ['desktop_view', 'remote_control']);
  const codes: string[] = [];
  session.on('security_code', (code) => codes.push(code));
  const thief = impostor(world, binding);
  gateway.cut('console');
  await until(() => codes.length === 2 && thief.opened.length > 0);
  // What the technician sees is no longer what the end user reads out.
  expect(codes[0]).toBe(applet.code);
  expect(codes[1]).toBe(thief.code());
  expect(codes[1]).not.toBe(applet.code);
  expect(log.filter((line) => /consent .* none/.test(line))).toHaveLength(2);
});

test('at one of several gateways, a console that waits in vain comes in anew', async () => {
  const gateway = new FakeGateway();
  const { log } = openConsole(gateway, ['wss://one.example', 'wss://two.example'], { seekAfter: 5 });
  const hellos = (): number => gateway.hellos.filter(({ role }) => role === 'console').length;
  await until(() => hellos() >= 3, 'coming in anew');
  new Applet(gateway, true);
  await until(() => log.includes('state connected'));
  const settled = hellos();
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(hellos()).toBe(settled);
});

test('at the only gateway, a console waits', async () => {
  const gateway = new FakeGateway();
  const { log } = openConsole(gateway, ['wss://one.example'], { seekAfter: 1 });
  await until(() => log.includes('state waiting_for_applet'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(gateway.hellos).toHaveLength(1);
});
