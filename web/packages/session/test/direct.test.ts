// Direct paths beside the gateway's relay: found, used, lost, and what a session notices of it.
import { afterEach, expect, test } from 'vitest';
import { type DirectOptions, iceServers } from '../src/direct';
import { count, kindOfPair, noCandidates } from '../src/paths';
import { type Message } from '../src/wire/message';
import { SEAL_KIND } from '../src/wire/seal';
import { Ether } from './fake_peer';
import { Random } from './random';
import { Applet, closeAll, connected, granted, type More, openConsole, picture, until, type World } from './world';
import { FakeGateway } from './fake_gateway';

afterEach(closeAll);

const chats = (got: readonly Message[]): string[] => got.flatMap((message) => (message.kind === 'chat' ? [message.text] : []));
const states = (log: string[]): string[] => log.filter((line) => line.startsWith('state '));

async function direct(more: DirectOptions = {}, others: More = {}): Promise<World & { ether: Ether }> {
  const ether = new Ether();
  const world = await connected(true, { ...others, direct: { peer: ether.factory, ...more } }, ether.factory);
  return { ...world, ether };
}

async function onDirect(world: World): Promise<void> {
  await until(() => world.session.path.kind === 'direct_udp', 'the direct path');
}

test('a session begins on the relay and moves to a direct path by itself', async () => {
  const world = await direct();
  const told: string[] = [];
  world.session.on('path', ({ kind, problem }) => told.push(`${kind} ${problem ?? ''}`));
  expect(world.session.path.kind).toBe('relay');
  await onDirect(world);
  expect(world.session.path).toMatchObject({ problem: undefined, direct: { attempts: 1, here: { udp: 1 }, there: { udp: 1 } } });
  expect(world.session.path.roundTrip).toBeLessThan(50);
  expect(told[0]).toBe('relay trying');
  await until(() => told.at(-1) === 'direct_udp ', 'the news');
  const before = world.gateway.frames.length;
  for (let line = 0; line < 50; line += 1) world.session.sendChat(`${line}`);
  await until(() => chats(world.applet.got).length === 50);
  // Nothing but pings and their answers.
  expect(world.gateway.frames.length - before).toBeLessThan(10);
});

test.each(['console', 'applet'])('while it is used, the loss of the connection of the %s is not noticed', async (lost) => {
  const world = await direct();
  const { gateway, applet, session, log } = world;
  await granted(world, ['desktop_view', 'remote_control']);
  await onDirect(world);
  applet.got.length = 0;
  gateway.cut(lost);
  gateway.frames.length = 0;
  session.sendChat('meanwhile');
  applet.send({ kind: 'chat', line: new Uint8Array(16), text: 'from there' });
  await until(() => chats(applet.got).length === 1 && log.includes('chat end_user from there'));
  // Both ask, and both answer.
  const by = (of: string): number => gateway.frames.filter(([role]) => role === of).length;
  await until(() => by('console') > 2 && by('applet') > 2, 'the way back');
  world.ether.fail();
  session.sendChat('by the relay again');
  await until(() => chats(applet.got).length === 2);
  expect(chats(applet.got)).toEqual(['meanwhile', 'by the relay again']);
  expect(states(log).filter((line) => /reconnecting|waiting_for_applet|securing/.test(line))).toHaveLength(2);
  expect([applet.pairings, applet.interruptions]).toEqual([1, 0]);
  expect(applet.got.filter(({ kind }) => kind === 'release_all' || kind === 'screen_resync')).toEqual([]);
});

test('no path left is an interruption, and the pairing goes on when there is one again', async () => {
  const world = await direct();
  const { gateway, applet, session, log, ether } = world;
  await onDirect(world);
  for (let tries = 0; tries < 50; tries += 1) gateway.refusals.push('unavailable');
  gateway.cut('console');
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(log.some((line) => line.startsWith('state reconnecting'))).toBe(false);
  ether.fail();
  await until(() => log.includes('state reconnecting gateway'));
  session.sendChat('kept');
  gateway.refusals.length = 0;
  await until(() => states(log).at(-1) === 'state connected');
  expect((await applet.take('chat')).text).toBe('kept');
  expect([applet.pairings, applet.resumptions]).toEqual([1, 1]);
  // And a direct path is looked for again.
  await onDirect(world);
  expect(session.path.direct.attempts).toBe(2);
});

test('a path that dies in silence is left for the relay, and nothing is lost', async () => {
  const world = await direct();
  const { applet, session, log, ether } = world;
  await onDirect(world);
  ether.dead = true;
  session.sendChat('into the dark');
  await until(() => session.path.kind === 'relay', 'the change');
  expect((await applet.take('chat')).text).toBe('into the dark');
  expect(session.path.problem).toBe('silent');
  // The browser says nothing of it yet: after a while it is given up all the same.
  await until(() => session.path.problem === 'lost');
  expect(session.path.direct.retryAt).toBeInstanceOf(Date);
  expect(states(log).some((line) => line.includes('reconnecting'))).toBe(false);
}, 15_000);

test('a lost or failed attempt is followed by another, and at once when the network changes', async () => {
  const world = await direct({ retries: [5, 60_000] });
  const { session, ether, network } = world;
  await onDirect(world);
  ether.fail();
  await until(() => session.path.direct.attempts === 2);
  await onDirect(world);
  ether.fail();
  await until(() => session.path.problem === 'lost');
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(session.path.direct.attempts).toBe(2);
  network('looked_at');
  expect(session.path.direct.attempts).toBe(2);
  network('changed');
  await onDirect(world);
  expect(session.path.direct.attempts).toBe(3);
  network('up');
  expect(session.path.direct.attempts).toBe(3);
});

test.each<[string, (ether: Ether) => void, DirectOptions, string]>([
  ['no address of the other end', (ether) => (ether.addresses = false), { patience: 300 }, 'no_candidates'],
  ['no pair that works', (ether) => (ether.dead = true), { patience: 300 }, 'ice_failed'],
  ['no UDP here', (ether) => ((ether.dead = true), (ether.stun = false)), { patience: 300 }, 'udp_blocked_here'],
  ['no data channels', () => undefined, { peer: () => { throw new Error('none'); } }, 'unsupported'], // prettier-ignore
])('with %s it is said why there is no direct path', async (_, make, options, problem) => {
  const ether = new Ether();
  make(ether);
  const world = await connected(true, { direct: { peer: ether.factory, ...options } }, ether.factory);
  await until(() => world.session.path.problem === problem, problem);
  expect(world.session.path.kind).toBe('relay');
  world.session.sendChat('still works');
  expect((await world.applet.take('chat')).text).toBe('still works');
});

test('an applet that can not says so', async () => {
  const ether = new Ether();
  const world = await connected(true, { direct: { peer: ether.factory } });
  await until(() => world.session.path.problem === 'given_up');
});

test('the kind of path is that of the pair', async () => {
  const ether = new Ether();
  ether.pair = { type: 'relay', protocol: 'udp' };
  const world = await connected(true, { direct: { peer: ether.factory } }, ether.factory);
  await until(() => world.session.path.kind === 'relayed_udp');
  expect(world.session.path.problem).toBe('ice_failed');
  expect(kindOfPair({ type: 'host', protocol: 'tcp' }, { type: 'prflx', protocol: 'tcp' })).toBe('direct_tcp');
  expect(kindOfPair({ type: 'host', protocol: 'udp' }, { type: 'relay', protocol: 'udp' })).toBe('relayed_udp');
  expect(kindOfPair({ type: 'prflx', protocol: 'udp' }, { type: 'srflx', protocol: 'udp' })).toBe('direct_udp');
});

test('candidates are counted by sort', () => {
  const counted = noCandidates();
  for (const candidate of [
    'candidate:1 1 UDP 2122252543 192.0.2.1 50000 typ host',
    'candidate:2 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active',
    'candidate:3 1 udp 1686052607 198.51.100.7 40000 typ srflx raddr 192.0.2.1 rport 50000',
    'candidate:4 1 udp 41885439 198.51.100.9 50001 typ relay raddr 198.51.100.7 rport 40000',
    '',
    'nonsense',
  ]) {
    count(candidate, counted);
  }
  expect(counted).toEqual({ udp: 1, tcp: 1, reflexive: 1, relayed: 1 });
});

test('the servers of the gateway are those of the next attempt', async () => {
  const ether = new Ether();
  const gateway = new FakeGateway();
  gateway.delay = 40;
  const applet = new Applet(gateway, true, ether.factory);
  const world = openConsole(gateway, undefined, { direct: { peer: ether.factory, retries: [5] } });
  await until(() => world.log.includes('state connected'));
  const servers = ['stun:gateway.example:3478', 'turn:gateway.example:3478?transport=udp', 'http://nonsense'];
  gateway.say('console', { kind: 'relaying', seconds: 600, user: 'u', password: 'p', servers });
  ether.fail();
  await until(() => ether.configurations.some(({ iceServers }) => (iceServers?.length ?? 0) > 0));
  expect(ether.configurations.find(({ iceServers }) => (iceServers?.length ?? 0) > 0)?.iceServers).toEqual([
    { urls: 'stun:gateway.example:3478' },
    { urls: 'turn:gateway.example:3478?transport=udp', username: 'u', credential: 'p' },
  ]);
  await until(() => world.session.path.kind === 'direct_udp');
  expect(applet.pairings).toBe(1);
  expect(iceServers(undefined)).toEqual([]);
});

test('what is no sealed frame is ignored on a direct path, and what does not open counts as a forgery', async () => {
  const world = await direct();
  const { applet, session, log, ether } = world;
  await onDirect(world);
  const stranger = ether.made.find(({ channel }) => channel?.readyState === 'open')!.channel!;
  for (let count = 0; count < 300; count += 1) {
    stranger.deliver(Uint8Array.of([SEAL_KIND.commit, SEAL_KIND.unknown, 0xee][count % 3]!, 1, 2).buffer);
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  session.sendChat('still here');
  await applet.take('chat');
  expect([applet.pairings, log.filter((line) => /lost|securing/.test(line)).length]).toEqual([1, 1]);
});

test('a gateway that says "unknown" interrupts nothing while a direct path answers', async () => {
  const world = await direct();
  const { gateway, applet, session, log, ether } = world;
  await granted(world, ['desktop_view']);
  await onDirect(world);
  gateway.tamper = (role) => (role === 'console' ? (gateway.say('console', { kind: 'frame', bytes: Uint8Array.of(SEAL_KIND.unknown) }), []) : []);
  gateway.cut('console');
  await new Promise((resolve) => setTimeout(resolve, 100));
  session.sendChat('undisturbed');
  expect((await applet.take('chat')).text).toBe('undisturbed');
  expect(log.filter((line) => line === 'state securing')).toHaveLength(1);
  expect(log).not.toContain('consent desktop_view none');
  // Without the direct path it would have to be believed.
  ether.fail();
  await until(() => log.filter((line) => line === 'state securing').length === 2);
});

test.each([1, 2, 3, 4])('seed %i: paths cut at random moments, every line, key and picture once and in order', async (seed) => {
  const random = new Random(seed);
  const renew = async (): Promise<{ gateways: string[]; ticket: string }> => ({
    gateways: ['wss://gateway.example'],
    ticket: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url'),
  });
  const world = await direct({ retries: [3, 10] }, { renew });
  const { gateway, applet, session, log, input, ether } = world;
  await onDirect(world);
  ether.loss = 5;
  ether.delay = 3;
  await granted(world, ['desktop_view', 'remote_control']);
  session.attachInput({} as HTMLElement);
  applet.got.length = 0;
  const said = { technician: [] as string[], endUser: [] as string[], typed: [] as string[] };
  let [drawn, directly, cuts] = [0, 0, 0];
  for (let step = 0; step < 1500; step += 1) {
    const dice = random.below(200);
    if (dice < 50) {
      said.technician.push(`t${step}`);
      session.sendChat(`t${step}`);
    } else if (dice < 100) {
      said.endUser.push(`e${step}`);
      applet.send({ kind: 'chat', line: random.bytes(16), text: `e${step}` });
    } else if (dice < 150) {
      if (states(log).at(-1) === 'state connected') {
        said.typed.push(`k${step}`);
        input.target?.send({ kind: 'text', text: `k${step}` });
      }
    } else if (dice < 180) {
      drawn += 1;
      applet.send(picture(drawn, 0));
    } else if (dice < 182) {
      cuts += 1;
      gateway.cut(random.chance(50) ? 'console' : 'applet');
    } else if (dice < 183) {
      ether.fail();
    } else if (dice < 184) {
      ether.dead = !ether.dead;
    }
    if (session.path.kind === 'direct_udp') directly += 1;
    if (random.chance(30)) await new Promise((resolve) => setTimeout(resolve, random.below(8)));
  }
  ether.dead = false;
  await until(() => states(log).at(-1) === 'state connected' && chats(applet.got).at(-1) === said.technician.at(-1), 'the end');
  applet.send({ kind: 'chat', line: random.bytes(16), text: 'last' });
  await until(() => log.includes('chat end_user last'), 'the last line');
  expect(cuts).toBeGreaterThan(5);
  expect(directly).toBeGreaterThan(0);
  expect(applet.pairings).toBe(1);
  expect(chats(applet.got)).toEqual(said.technician);
  expect(applet.got.flatMap((message) => (message.kind === 'text' ? [message.text] : []))).toEqual(said.typed);
  expect(log.filter((line) => line.startsWith('chat ')).slice(0, -1)).toEqual(said.endUser.map((line) => `chat end_user ${line}`)); // prettier-ignore
  expect([applet.broken, log.filter((line) => /lost|ended/.test(line))]).toEqual([undefined, []]);
}, 90_000);
