// The secret of an invitation link: who has it is verified without comparing, and who sits in between is found out.
import { afterEach, expect, test } from 'vitest';
import { Channel } from '../src/channel';
import { newLinkSecret, readLinkSecret } from '../src/link_secret';
import { type RemoteSession } from '../src/interface';
import { type Bytes } from '../src/wire/codec';
import { decodeMessage } from '../src/wire/message';
import { FakeGateway } from './fake_gateway';
import { ACCOUNT, Applet, binding, closeAll, connected, openConsole, until } from './world';

const secret = newLinkSecret();

afterEach(closeAll);

function codesOf(session: RemoteSession): [code: string, verified: boolean][] {
  const codes: [string, boolean][] = [];
  session.on('security_code', (code, verified) => codes.push([code, verified]));
  return codes;
}

test('a secret is 32 random bytes', () => {
  expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(newLinkSecret()).not.toBe(secret);
  expect(readLinkSecret(secret)).toHaveLength(32);
  expect(() => readLinkSecret('c2hvcnQ')).toThrow(RangeError);
});

test('both ends with the secret are verified, and nothing of it passes the gateway', async () => {
  const gateway = new FakeGateway();
  const applet = new Applet(gateway, false, undefined, readLinkSecret(secret));
  const { session, log } = openConsole(gateway, undefined, { linkSecret: secret });
  const codes = codesOf(session);
  await until(() => codes.some(([, verified]) => verified), 'the verification');
  expect(codes.at(-1)).toEqual([applet.code, true]);
  expect(applet.found).toBe('verified');
  expect(log).toContain('state connected');
  const all = Buffer.concat(gateway.frames.map(([, bytes]) => bytes));
  expect(all.includes(Buffer.from(readLinkSecret(secret)))).toBe(false);
  expect(all.includes(secret)).toBe(false);
});

test('the proof is said before anything is asked', async () => {
  const gateway = new FakeGateway();
  const applet = new Applet(gateway, false, undefined, readLinkSecret(secret));
  const { session, log } = openConsole(gateway, undefined, { linkSecret: secret });
  session.on('state', (state) => state === 'connected' && session.request(['desktop_view']));
  await until(() => log.includes('consent desktop_view asking'));
  await applet.take('request');
  expect(applet.found).toBe('verified');
  // The proof before anything that leads to a question.
  expect(applet.got.map(({ kind }) => kind)).toEqual(['charter', 'link_proof', 'screen_wanted']);
});

test('who has no secret says so, and the codes are compared', async () => {
  const world = await connected(false, { linkSecret: secret });
  const codes = codesOf(world.session);
  await world.applet.take('link_proof');
  world.session.sendChat('after it');
  await world.applet.take('chat');
  expect(codes).toEqual([[world.applet.code, false]]);
  expect(world.log.at(-1)).not.toContain('lost');
});

test('a console without the secret says nothing of it', async () => {
  const gateway = new FakeGateway();
  const applet = new Applet(gateway, false, undefined, readLinkSecret(secret));
  const { session, log } = openConsole(gateway);
  await until(() => log.includes('state connected'));
  session.sendChat('hello');
  await applet.take('chat');
  expect(applet.got.some(({ kind }) => kind === 'link_proof')).toBe(false);
  expect(codesOf(session).some(([, verified]) => verified)).toBe(false);
});

/** A gateway with a handshake of its own on either side, that passes on what it reads. */
class Between {
  readonly read: string[] = [];
  readonly gateways = { console: new FakeGateway(), applet: new FakeGateway() };
  private readonly toConsole: Channel;
  private readonly toApplet: Channel;

  /** `pass` may change or swallow what goes from one side to the other. */
  constructor(pass: (bytes: Bytes) => Bytes | undefined = (bytes) => bytes) {
    const leg = (gateway: FakeGateway, role: 'console' | 'applet', other: () => Channel): Channel =>
      new Channel(
        {
          ...{ gateways: ['wss://gateway.example'], role, account: ACCOUNT, version: '0.1.0', platform: 'evil' },
          ...{ credential: new Uint8Array(16).fill(3), binding, connect: gateway.connect },
        },
        {
          message: (bytes, of) => {
            this.read.push(decodeMessage(bytes).kind);
            const changed = pass(bytes);
            if (changed !== undefined) other().sendBytes(of, changed);
          },
        },
      );
    this.toConsole = leg(this.gateways.console, 'applet', () => this.toApplet);
    this.toApplet = leg(this.gateways.applet, 'console', () => this.toConsole);
  }

  close(): void {
    this.toConsole.bye('closed');
    this.toApplet.bye('closed');
  }
}

test('somebody who swaps keys and passes the proofs on is found out at both ends', async () => {
  const between = new Between();
  const applet = new Applet(between.gateways.applet, false, undefined, readLinkSecret(secret));
  const { session, log } = openConsole(between.gateways.console, undefined, { linkSecret: secret });
  const codes = codesOf(session);
  await until(() => log.includes('state lost tampered'), 'the console finding out');
  await until(() => applet.found !== undefined, 'the applet finding out');
  expect(applet.found).toBe('tampered');
  expect(codes.some(([, verified]) => verified)).toBe(false);
  await until(() => between.gateways.console.byes.some(([role, reason]) => role === 'console' && reason === 'closed'));
  session.request(['desktop_view']);
  expect(between.read).not.toContain('request');
  between.close();
});

test.each([
  ['keeps the proofs back', (bytes: Bytes) => (bytes[0] === 0x17 || bytes[0] === 0x18 ? undefined : bytes)],
  ['says that there is no secret', (bytes: Bytes) => (bytes[0] === 0x18 ? Uint8Array.of(0x19) : bytes)],
])('somebody who swaps keys and %s is left with two codes that differ', async (_, pass) => {
  const between = new Between(pass);
  const applet = new Applet(between.gateways.applet, false, undefined, readLinkSecret(secret));
  const { session, log } = openConsole(between.gateways.console, undefined, { linkSecret: secret });
  const codes = codesOf(session);
  await until(() => log.includes('state connected') && codes.length > 0 && applet.code !== '');
  expect(codes).toEqual([[codes[0]![0], false]]);
  expect(codes[0]![0]).not.toBe(applet.code);
  expect(applet.found).not.toBe('verified');
  between.close();
});

test('without a secret somebody who swaps keys is left with two codes that differ', async () => {
  const between = new Between();
  const applet = new Applet(between.gateways.applet);
  const { session, log } = openConsole(between.gateways.console);
  const codes = codesOf(session);
  await until(() => log.includes('state connected') && codes.length > 0 && applet.code !== '');
  expect(codes[0]![0]).not.toBe(applet.code);
  between.close();
});
