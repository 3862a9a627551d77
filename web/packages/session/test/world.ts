// A console and an applet over a gateway in memory, with all that happened.
import { expect } from 'vitest';
import { Channel } from '../src/channel';
import { ConsoleDirect, type DirectOptions, type PeerFactory } from '../src/direct';
import { type InputTarget } from '../src/input';
import { type RemoteSessionEvents, type RemoteSessionOptions } from '../src/interface';
import { type NetworkNews } from '../src/network';
import { type Renewal } from '../src/returning';
import { type Surface } from '../src/screen/view';
import { Zstd } from '../src/screen/zstd';
import { ConsoleSession } from '../src/session';
import { type SessionParts } from '../src/session_parts';
import { type Bytes } from '../src/wire/codec';
import { checkLinkProof, linkProof } from '../src/link_secret';
import { toHex } from '../src/wire/encoding';
import { type Class } from '../src/wire/link';
import { decodeMessageFrom, type Message } from '../src/wire/message';
import { AnsweringDirect } from './answering';
import { FakeGateway } from './fake_gateway';
import { encodeOperations, type Operation } from './operations';
import { zstdOf } from './zstd_frames';

export const ACCOUNT = '00112233-4455-6677-8899-aabbccddeeff';
/** Short, so that a test does not wait. */
export const PAUSES = [1, 2, 4];
export const binding = new Uint8Array(32).fill(5);

/** A new ticket for the applet, which the real one has from its own website. */
const renewed = async (): Promise<Renewal> => ({
  gateways: ['wss://gateway.example'],
  credential: crypto.getRandomValues(new Uint8Array(32)),
});

export class Applet {
  readonly got: Message[] = [];
  code = '';
  transcript: Bytes | undefined;
  /** What a real applet finds out from the console's proof. */
  found: 'verified' | 'tampered' | undefined;
  pairings = 0;
  resumptions = 0;
  interruptions = 0;
  broken: string | undefined;
  readonly channel: Channel;

  /** With `returning` it comes back as an applet does; without it, the first loss is its end. `peer`: it has direct paths. */
  constructor(
    gateway: FakeGateway,
    returning = false,
    peer?: PeerFactory,
    private readonly linkSecret?: Bytes,
    itsBinding = binding,
  ) {
    applets.push(this);
    this.channel = new Channel(
      {
        gateways: ['wss://gateway.example'],
        role: 'applet',
        account: ACCOUNT,
        credential: new Uint8Array(16).fill(1),
        version: '0.1.0',
        platform: 'linux-x86_64',
        binding: itsBinding,
        connect: gateway.connect,
        ...(returning ? { returning: { pauses: PAUSES, renew: renewed } } : {}),
        ...(peer === undefined ? {} : { direct: (host) => new AnsweringDirect(host, peer) }),
      },
      {
        resumed: () => (this.resumptions += 1),
        interrupted: () => (this.interruptions += 1),
        broken: (error) => (this.broken = error.message),
        paired: () => (this.pairings += 1),
        secured: (code, transcript) => ([this.code, this.transcript] = [code, transcript]),
        message: (bytes, of) => this.receive(bytes, of),
      },
    );
  }

  send(message: Message): void {
    this.channel.send(message);
  }

  /** Waits for a message of this kind and takes it. */
  async take<K extends Message['kind']>(kind: K): Promise<Extract<Message, { kind: K }>> {
    await until(() => this.got.some((message) => message.kind === kind));
    const at = this.got.findIndex((message) => message.kind === kind);
    return this.got.splice(at, 1)[0] as Extract<Message, { kind: K }>;
  }

  private receive(bytes: Bytes, of: Class): void {
    const message = decodeMessageFrom('console', bytes, of);
    this.got.push(message);
    if (message.kind === 'link_proof') void this.prove(message.proof);
    if (message.kind !== 'charter') return;
    this.send({ kind: 'welcome', version: '0.1.0', platform: 'linux-x86_64', language: 'de' });
    this.send({ kind: 'charter_checked', verdict: 'accepted' });
  }

  /** As bin/applet does: it always shows its own proof, so that the console can find out too. */
  private async prove(proof: Bytes): Promise<void> {
    const { linkSecret, transcript } = this;
    if (linkSecret === undefined || transcript === undefined) {
      this.send({ kind: 'no_link_secret' });
      return;
    }
    this.send({ kind: 'link_proved', proof: await linkProof(linkSecret, 'applet', transcript) });
    this.found = (await checkLinkProof(linkSecret, 'console', transcript, proof)) ? 'verified' : 'tampered';
  }
}

export interface World {
  /** What the browser says of the network. */
  network: (news: NetworkNews) => void;
  gateway: FakeGateway;
  applet: Applet;
  session: ConsoleSession;
  log: string[];
  shown: string[];
  input: { target?: InputTarget };
}

const open: ConsoleSession[] = [];
const applets: Applet[] = [];
/** To be called after each test. */
export function closeAll(): void {
  for (const session of open.splice(0)) session.close();
  for (const applet of applets.splice(0)) applet.channel.bye('closed');
}

export async function until(condition: () => boolean, what = 'it'): Promise<void> {
  for (const end = performance.now() + 8000; performance.now() < end; ) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`${what} did not happen`);
}

export function charter(): { document: string; signature: string } {
  const document = {
    v: 'belay-charter/1',
    account: { id: ACCOUNT, name: 'Example GmbH' },
    rights: ['desktop_view', 'remote_control'],
    single_prompt: true,
  };
  return {
    document: Buffer.from(JSON.stringify(document)).toString('base64'),
    signature: Buffer.alloc(64, 7).toString('base64'),
  };
}

export interface More {
  renew?: RemoteSessionOptions['renew'];
  offlineAfter?: number;
  returning?: SessionParts['returning'];
  direct?: DirectOptions;
  linkSecret?: string;
  seekAfter?: number;
  films?: SessionParts['films'];
}

export function openConsole(
  gateway: FakeGateway,
  gateways = ['wss://gateway.example'],
  more: More = {},
): Omit<World, 'applet' | 'gateway'> {
  const [log, shown] = [[] as string[], [] as string[]];
  const input: World['input'] = {};
  let network: World['network'] = () => undefined;
  const surface: Surface = {
    resize: (_, width, height) => shown.push(`resize ${width} ${height}`),
    draw: (dirty) => shown.push(`draw ${dirty.length}`),
    cover: (_, to) => shown.push(`cover ${to.width} ${to.height}`),
    clear: () => shown.push('clear'),
  };
  const session = new ConsoleSession(
    {
      gateways,
      ticket: Buffer.alloc(32, 9).toString('base64url'),
      sessionId: '01234567-89ab-cdef-0001-020304050607',
      binding: toHex(binding),
      charter: charter(),
      ...(more.linkSecret === undefined ? {} : { linkSecret: more.linkSecret }),
      ...(more.renew === undefined ? {} : { renew: more.renew }),
    },
    {
      surface,
      cursor: {
        shape: (picture) => shown.push(`cursor ${picture?.width ?? 'hidden'}`),
        position: (x, y) => shown.push(`cursor at ${x} ${y}`),
        mode: (mode) => shown.push(`cursor ${mode}`),
        close: () => shown.push('cursor closed'),
      },
      attachInput: (_, target) => {
        input.target = target;
        shown.push('attached');
        return () => {
          shown.push('detached');
          target.send({ kind: 'release_all' });
        };
      },
      zstd: Zstd.create(),
      ...(more.films === undefined ? {} : { films: more.films }),
      connect: gateway.connect,
      watchNetwork: (tell) => {
        network = tell;
        return () => shown.push('unwatched');
      },
      returning: { pauses: PAUSES, ...more.returning },
      ...(more.direct === undefined ? {} : { direct: (host) => new ConsoleDirect(host, more.direct) }),
      ...(more.seekAfter === undefined ? {} : { seekAfter: more.seekAfter }),
      ...(more.offlineAfter === undefined ? {} : { offlineAfter: more.offlineAfter }),
      version: '0.1.0',
      platform: 'node',
    },
  );
  const note = <E extends keyof RemoteSessionEvents>(event: E): void => {
    session.on(event, ((...args: unknown[]) => {
      log.push([event, ...args.filter((arg) => arg !== undefined && !(arg instanceof Date)).map((arg) => typeof arg === 'object' ? JSON.stringify(arg) : String(arg))].join(' ')); // prettier-ignore
    }) as RemoteSessionEvents[E]);
  };
  for (const event of ['state', 'typing', 'consent', 'denied', 'monitors', 'peer', 'size', 'ended'] as const) note(event);
  session.on('chat', ({ author, text }) => log.push(`chat ${author} ${text}`));
  open.push(session);
  return { session, log, shown, input, network: (news) => network(news) };
}

export async function connected(returning = false, more: More = {}, peer?: PeerFactory): Promise<World> {
  const gateway = new FakeGateway();
  // By the gateway it takes longer than directly, on a busy machine too.
  if (peer !== undefined) gateway.delay = 40;
  const applet = new Applet(gateway, returning, peer);
  const world = { gateway, applet, ...openConsole(gateway, undefined, more) };
  await until(() => world.log.includes('state connected'), 'the connection');
  return world;
}

export async function granted(world: World, rights: ('desktop_view' | 'remote_control')[]): Promise<void> {
  world.session.request(rights);
  const { request, rights: asked } = await world.applet.take('request');
  expect(asked).toEqual(rights);
  world.applet.send({ kind: 'decision', request, rights, outcome: 'granted' });
  await until(() => rights.every((right) => world.log.includes(`consent ${right} granted`)), 'the grant');
}

export const square: Operation = { kind: 'solid', to: { x: 0, y: 0, width: 2, height: 2 }, colour: [1, 2, 3] };

export function picture(number: number, base: number, raw: Uint8Array = encodeOperations([square])): Message {
  return {
    ...{ kind: 'screen_update', number, base, width: 8, height: 6, more: false },
    ...{ rawLength: raw.length, operationsZstd: zstdOf(raw) },
  } as Message;
}

