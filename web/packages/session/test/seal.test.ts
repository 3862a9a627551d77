// The seal: the vector both languages share, and what a hostile relay may try.
import { expect, test } from 'vitest';
import { KeyChain, PACKETS_PER_KEY } from '../src/key_chain';
import { NEVER_OPENED, ReplayWindow, Seal, type SealError, type SealOptions, type SealSecret, WINDOW } from '../src/seal';
import { type Bytes } from '../src/wire/codec';
import { fromHex, toHex } from '../src/wire/encoding';
import { decodeSealFrame, encodeSealFrame } from '../src/wire/seal';
import { checkLinkProof, linkProof } from '../src/link_secret';
import { Random } from './random';
import { readVectors } from './vectors';

/** One end, with all it said. */
class End {
  readonly frames: Bytes[] = [];
  readonly packets: Bytes[] = [];
  code: string | undefined;
  transcript: Bytes | undefined;
  error: SealError | undefined;
  misunderstandings = 0;
  readonly seal: Seal;

  constructor(options: SealOptions) {
    this.seal = new Seal(options, {
      frame: (frame) => this.frames.push(frame),
      packet: (packet) => this.packets.push(packet),
      misunderstood: () => (this.misunderstandings += 1),
      ready: (code, transcript) => ([this.code, this.transcript] = [code, transcript]),
      broken: (error) => (this.error = error),
    });
  }

  /** The next frame not taken yet. */
  async frame(): Promise<Bytes> {
    await until(() => this.frames.length > 0);
    return this.frames.shift()!;
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2000; turn += 1) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error('it did not happen');
}

const binding = new Uint8Array(32).fill(9);

async function pair(appletBinding = binding): Promise<{ console: End; applet: End }> {
  const [console, applet] = [new End({ role: 'console', binding }), new End({ role: 'applet', binding: appletBinding })];
  console.seal.start();
  applet.seal.start();
  applet.seal.receive(await console.frame());
  console.seal.receive(await applet.frame());
  applet.seal.receive(await console.frame());
  await until(() => console.code !== undefined && applet.code !== undefined);
  return { console, applet };
}

async function secretOf(vector: { private_key: string; nonce: string }): Promise<SealSecret> {
  const wrapped = fromHex(`302e020100300506032b656e04220420${vector.private_key}`);
  const privateKey = await crypto.subtle.importKey('pkcs8', wrapped, { name: 'X25519' }, true, ['deriveBits']);
  const { x } = await crypto.subtle.exportKey('jwk', privateKey);
  return { privateKey, publicKey: new Uint8Array(Buffer.from(x!, 'base64url')), nonce: fromHex(vector.nonce) };
}

test('the golden vector, both roles', async () => {
  interface Party {
    private_key: string;
    nonce: string;
  }
  interface Packets {
    frame: string;
    packet: string;
  }
  const vector = readVectors<{
    binding: string;
    console: Party;
    applet: Party;
    commit: string;
    answer: string;
    open: string;
    security_code: string;
    transcript: string;
    link: { secret: string; console_proof: string; applet_proof: string };
    console_packets: Packets[];
    applet_packets: Packets[];
    console_packets_after_key_changes: Packets[];
  }>('seal.json');
  const shared = fromHex(vector.binding);
  const console = new End({ role: 'console', binding: shared, secret: await secretOf(vector.console) });
  const applet = new End({ role: 'applet', binding: shared, secret: await secretOf(vector.applet) });
  console.seal.start();
  applet.seal.start();
  for (const { packet } of vector.console_packets) console.seal.seal(fromHex(packet));
  for (const { packet } of vector.applet_packets) applet.seal.seal(fromHex(packet));
  const take = async (from: End, to: End, expected: string): Promise<void> => {
    const frame = await from.frame();
    expect(toHex(frame)).toBe(expected);
    to.seal.receive(frame);
  };
  await take(console, applet, vector.commit);
  await take(applet, console, vector.answer);
  await take(console, applet, vector.open);
  for (const { frame } of vector.console_packets) await take(console, applet, frame);
  for (const { frame } of vector.applet_packets) await take(applet, console, frame);
  await until(() => console.packets.length === vector.applet_packets.length);
  expect([console.code, applet.code]).toEqual([vector.security_code, vector.security_code]);
  expect(applet.packets.map(toHex)).toEqual(vector.console_packets.map(({ packet }) => packet));
  expect(console.packets.map(toHex)).toEqual(vector.applet_packets.map(({ packet }) => packet));
  expect([toHex(console.transcript!), toHex(applet.transcript!)]).toEqual([vector.transcript, vector.transcript]);
  const { secret, console_proof: ofConsole, applet_proof: ofApplet } = vector.link;
  for (const [side, proof] of [['console', ofConsole], ['applet', ofApplet]] as const) {
    expect(toHex(await linkProof(fromHex(secret), side, fromHex(vector.transcript)))).toBe(proof);
    expect(await checkLinkProof(fromHex(secret), side, fromHex(vector.transcript), fromHex(proof))).toBe(true);
    const other = side === 'console' ? 'applet' : 'console';
    expect(await checkLinkProof(fromHex(secret), other, fromHex(vector.transcript), fromHex(proof))).toBe(false);
  }
  for (const { frame, packet } of vector.console_packets_after_key_changes) {
    const before = applet.packets.length;
    applet.seal.receive(fromHex(frame));
    await until(() => applet.packets.length > before);
    expect(toHex(applet.packets.at(-1)!)).toBe(packet);
  }
});

test('a forged number far ahead does not push the keys on', async () => {
  const { console, applet } = await pair();
  console.seal.seal(Uint8Array.of(1));
  const frame = await console.frame();
  for (const ahead of [1, 2, 200]) {
    const forged = frame.slice();
    new DataView(forged.buffer).setUint32(5, ahead * PACKETS_PER_KEY);
    applet.seal.receive(forged);
  }
  await applet.seal.whenOpened();
  expect(applet.packets).toEqual([]);
  applet.seal.receive(frame);
  await until(() => applet.packets.length === 1);
});

test('keys change on the way without a packet lost', async () => {
  const chains = await Promise.all([
    KeyChain.from(new Uint8Array(32).fill(4), 'encrypt'),
    KeyChain.from(new Uint8Array(32).fill(4), 'decrypt'),
  ]);
  const iv = new Uint8Array(12);
  for (const counter of [0, PACKETS_PER_KEY - 1, PACKETS_PER_KEY, PACKETS_PER_KEY - 2, 2 * PACKETS_PER_KEY, PACKETS_PER_KEY]) {
    const [sealing, opening] = await Promise.all(chains.map((chain) => chain.key(counter)));
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, sealing!, Uint8Array.of(7));
    expect(new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, opening!, sealed))).toEqual(Uint8Array.of(7));
    await Promise.all(chains.map((chain) => chain.used(counter)));
  }
  expect(chains[0]!.key(0)).toBeUndefined();
  expect(chains[0]!.key(4 * PACKETS_PER_KEY)).toBeUndefined();
});

test('packets of very different sizes stay in order', async () => {
  const { console, applet } = await pair();
  const random = new Random(3);
  const sent = Array.from({ length: 200 }, (_, at) => random.bytes(at % 7 === 0 ? 20_000 : 5));
  for (const packet of sent) console.seal.seal(packet);
  await console.seal.whenSent();
  for (const frame of console.frames) applet.seal.receive(frame);
  await until(() => applet.packets.length === sent.length);
  expect(sent.every((packet, at) => toHex(packet) === toHex(applet.packets[at]!))).toBe(true);
});

test('the applet says nothing sealed before a packet of the console has opened', async () => {
  const { console, applet } = await pair();
  applet.seal.seal(Uint8Array.of(1));
  await applet.seal.whenSent();
  expect(applet.frames).toEqual([]);
  console.seal.seal(Uint8Array.of(2));
  applet.seal.receive(await console.frame());
  expect(decodeSealFrame(await applet.frame()).kind).toBe('sealed');
});

test('another binding makes other keys: nothing opens', async () => {
  const { console, applet } = await pair(new Uint8Array(32).fill(8));
  expect(console.code).not.toBe(applet.code);
  for (let count = 0; count < NEVER_OPENED; count += 1) console.seal.seal(Uint8Array.of(count));
  await console.seal.whenSent();
  for (const frame of console.frames) applet.seal.receive(frame);
  // Somebody may only have put these in between: it is known when none opens within three seconds.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(applet.error).toBeUndefined();
  await until(() => applet.error !== undefined);
  expect(applet.error?.fault).toBe('keys');
  expect(applet.packets).toEqual([]);
});

test('a console that opens another key than it committed to is refused', async () => {
  const [console, applet, other] = (['console', 'applet', 'console'] as const).map(
    (role) => new End({ role, binding }),
  ) as [End, End, End];
  for (const end of [console, applet, other]) end.seal.start();
  applet.seal.receive(await console.frame());
  await other.frame();
  other.seal.receive(await applet.frame());
  applet.seal.receive(await other.frame());
  await until(() => applet.error !== undefined);
  expect(applet.error?.fault).toBe('commitment');
});

test('a key that makes no secret is refused', async () => {
  const console = new End({ role: 'console', binding });
  console.seal.start();
  await console.frame();
  const zero = new Uint8Array(32);
  console.seal.receive(encodeSealFrame({ kind: 'answer', key: zero, nonce: zero }));
  await until(() => console.error !== undefined);
  expect(console.error?.fault).toBe('zero_secret');
});

test('frames out of order in the handshake are refused', async () => {
  const console = new End({ role: 'console', binding });
  console.seal.start();
  const commit = await console.frame();
  console.seal.receive(commit);
  await until(() => console.error !== undefined);
  expect(console.error?.fault).toBe('frame');
});

test('what the applet sealed for the console before does not disturb the handshake of the next one', async () => {
  const before = await pair();
  before.console.seal.seal(Uint8Array.of(1));
  before.applet.seal.receive(await before.console.frame());
  for (let count = 0; count < 200; count += 1) before.applet.seal.seal(Uint8Array.of(count));
  await until(() => before.applet.frames.length === 200);
  const [console, applet] = [new End({ role: 'console', binding }), new End({ role: 'applet', binding })];
  console.seal.start();
  applet.seal.start();
  const late = (): void => before.applet.frames.splice(0, 60).forEach((frame) => console.seal.receive(frame));
  late();
  applet.seal.receive(await console.frame());
  late();
  console.seal.receive(await applet.frame());
  late();
  applet.seal.receive(await console.frame());
  await until(() => console.code !== undefined && applet.code !== undefined);
  console.seal.seal(Uint8Array.of(7));
  applet.seal.receive(await console.frame());
  await until(() => applet.packets.length === 1);
  expect([console.error, console.code]).toEqual([undefined, applet.code]);
});

test('an answer to the commitment of another console is noticed by the one that comes after it', async () => {
  const { console, applet } = await pair();
  const another = new End({ role: 'applet', binding });
  another.seal.start();
  const other = new End({ role: 'console', binding });
  other.seal.start();
  another.seal.receive(await other.frame());
  const answer = await another.frame();
  console.seal.receive(answer);
  expect([console.misunderstandings, console.error]).toEqual([1, undefined]);
  // Once something has opened it is a forgery like any other.
  console.seal.seal(Uint8Array.of(1));
  applet.seal.receive(await console.frame());
  applet.seal.seal(Uint8Array.of(2));
  console.seal.receive(await applet.frame());
  await until(() => console.packets.length === 1);
  console.seal.receive(answer);
  expect(console.misunderstandings).toBe(1);
});

test('changed, repeated and foreign frames are dropped, the others arrive', async () => {
  const { console, applet } = await pair();
  const random = new Random(11);
  for (let count = 0; count < 50; count += 1) console.seal.seal(Uint8Array.of(count));
  await console.seal.whenSent();
  for (const frame of console.frames) {
    const changed = frame.slice();
    changed[random.below(changed.length)]! ^= 1 + random.below(255);
    applet.seal.receive(changed);
    applet.seal.receive(frame);
    applet.seal.receive(frame);
    applet.seal.receive(random.bytes(random.below(40)));
  }
  await until(() => applet.packets.length === 50);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(applet.packets.map((packet) => packet[0])).toEqual(Array.from({ length: 50 }, (_, at) => at));
  expect(applet.error).toBeUndefined();
});

test('reordered frames are all taken, in the order of their arrival', async () => {
  const { console, applet } = await pair();
  for (let count = 0; count < 20; count += 1) console.seal.seal(Uint8Array.of(count));
  await console.seal.whenSent();
  for (const frame of console.frames.reverse()) applet.seal.receive(frame);
  await until(() => applet.packets.length === 20);
  expect(applet.packets.map((packet) => packet[0])).toEqual(Array.from({ length: 20 }, (_, at) => 19 - at));
});

test('the window agrees with a set on random histories', () => {
  const random = new Random(7);
  for (let history = 0; history < 20; history += 1) {
    const [window, set] = [new ReplayWindow(), new Set<number>()];
    let highest = -1;
    for (let step = 0; step < 2000; step += 1) {
      const kind = random.below(10);
      const number = Math.max(
        kind === 0 ? highest + random.below(3000) : kind < 4 ? highest - random.below(2000) : highest + random.below(3),
        0,
      );
      const expected = number <= highest - WINDOW ? 'old' : set.has(number) ? 'seen' : 'new';
      if (window.take(number) !== expected) expect.fail(`${number} after ${highest}`);
      set.add(number);
      highest = Math.max(highest, number);
    }
  }
});
