// End-to-end encryption of one pairing: belay-seal/1, both roles. Specification: docs/protocol/seal.md.
//
// WebCrypto answers later, so what it answers is put back into the order in which it was asked: frames leave and
// packets are delivered strictly in order, each as soon as its predecessors are through.
import { InOrder } from './in_order';
import { KeyChain } from './key_chain';
import { type Bytes, utf8, WireError } from './wire/codec';
import { LINK_NAME } from './wire/link';
import { decodeSealFrame, encodeSealFrame, type SealFrame, SEAL_KIND, SEAL_NAME, SEALED_HEAD } from './wire/seal';

export const SESSION_NAME = 'belay-session/1';
/** A sender stops after this many packets. */
export const MAX_PACKETS = 2 ** 48;
/** How far behind the highest counter a packet is still taken. */
export const WINDOW = 1024;
/** This many failures in a row end the pairing. */
export const MAX_FAILURES = 100;
/** So many that do not open, none that does within this time in milliseconds, and the keys are not the same. */
export const NEVER_OPENED = 3;
const OPENS_WITHIN = 3000;
const TAG = 16;
const KEY = 32;

/**
 * frame: a handshake frame that is none or comes out of order; commitment: the console's key is not the one it committed
 * to; zero_secret: the partner's key makes no secret; keys: the partner has made other keys; failures: too many packets
 * in a row did not open; spent: 2^48 packets are sealed; crypto: this browser cannot do what the seal needs.
 */
export type SealFault = 'frame' | 'commitment' | 'zero_secret' | 'keys' | 'failures' | 'spent' | 'crypto';

export class SealError extends Error {
  override readonly name = 'SealError';
  constructor(
    readonly fault: SealFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What the seal tells its owner. Nothing is called any more after `broken` or `close`. */
export interface SealEvents {
  /** A frame to send, in this order; `path` as given to `seal` with its packet, `undefined` for one of the handshake. */
  frame(frame: Bytes, path: number | undefined): void;
  /** A packet of the partner's, in its order of arrival; `path` as given to `receive` with its frame. */
  packet(packet: Bytes, path: number): void;
  /** A frame did not open, was none, or had come before. */
  failed?(path: number): void;
  /** forged: somebody made it up or changed it, or it is of another session; repeated: it had come before. */
  interfered?(how: 'forged' | 'repeated'): void;
  /** Consoles only: the applet answered a second time before anything opened, so its first answer was to another commitment. */
  misunderstood?(): void;
  /** The keys are made; the security code has six digits, and the transcript's 32 bytes are what a link's secret proves. */
  ready(code: string, transcript: Bytes): void;
  /** The pairing is over. */
  broken(error: SealError): void;
}

/** A key pair and nonce for one pairing; given only by tests with fixed vectors. */
export interface SealSecret {
  privateKey: CryptoKey;
  publicKey: Bytes;
  nonce: Bytes;
}

export interface SealOptions {
  role: 'console' | 'applet';
  /** The 32 bytes that tie the charter to one applet. */
  binding: Bytes;
  secret?: SealSecret;
}

interface Keys {
  sealing: KeyChain;
  opening: KeyChain;
}

export class Seal {
  private phase: 'idle' | 'waiting' | 'deriving' | 'ready' | 'over' = 'idle';
  private secret: SealSecret | undefined;
  private commitment: Bytes | undefined;
  private keys: Keys | undefined;
  private confirmed: boolean;
  /** Packets that wait for the keys, or for the partner's first packet. */
  private unsealed: [packet: Bytes, path: number][] = [];
  /** Frames that came while the keys were being made. */
  private unopened: [frame: SealFrame, path: number][] = [];
  private nextCounter = 0;
  private failures = 0;
  /** Something of the partner's has opened. */
  private opened = false;
  private judging: ReturnType<typeof setTimeout> | undefined;
  private readonly window = new ReplayWindow();
  private readonly leaving = new InOrder();
  private readonly arriving = new InOrder();

  constructor(
    private readonly options: SealOptions,
    private readonly events: SealEvents,
  ) {
    if (options.binding.length !== 32) throw new RangeError('binding must be 32 bytes');
    this.confirmed = options.role === 'console';
  }

  /** Whether the keys are made: such a seal can go on after its connection was lost. */
  get ready(): boolean {
    return this.phase === 'ready';
  }

  /** Begins the pairing: a console sends its commitment, an applet waits for it. */
  start(): void {
    this.run(async () => {
      this.secret = this.options.secret ?? (await newSecret());
      if (this.options.role === 'console') {
        this.commitment = await commitmentTo(this.secret.publicKey, this.secret.nonce);
        this.emit({ kind: 'commit', commitment: this.commitment });
      }
      if (this.phase !== 'idle') return;
      this.phase = 'waiting';
      this.replay();
    });
  }

  /** Seals a packet and hands it to `frame`; before the keys are there it waits for them. */
  seal(packet: Bytes, path = 0): void {
    if (this.phase === 'over') return;
    const keys = this.keys;
    if (keys === undefined || !this.confirmed) {
      this.unsealed.push([packet, path]);
      return;
    }
    const counter = this.nextCounter;
    if (counter >= MAX_PACKETS) {
      this.break(new SealError('spent', 'this pairing has sealed 2^48 packets, make a new one'));
      return;
    }
    this.nextCounter = counter + 1;
    const head = headOf(counter);
    const key = keys.sealing.key(counter);
    const encrypt = (key: CryptoKey): Promise<ArrayBuffer> => crypto.subtle.encrypt(gcm(head), key, packet);
    // Only the first packets under a new key may have to wait for it.
    const work = key instanceof CryptoKey ? encrypt(key) : Promise.resolve(key).then((key) => encrypt(needed(key)));
    this.leaving.push(
      work,
      (ciphertext) => {
        if (this.phase === 'over') return;
        const frame = new Uint8Array(SEALED_HEAD + ciphertext.byteLength);
        frame.set(head);
        frame.set(new Uint8Array(ciphertext), SEALED_HEAD);
        this.run(() => keys.sealing.used(counter));
        this.events.frame(frame, path);
      },
      (cause) => this.break(new SealError('crypto', 'a packet could not be sealed', { cause })),
    );
  }

  /** Takes a frame of the partner's; `path` is the owner's name for the way on which it came. */
  receive(bytes: Bytes, path = 0): void {
    if (this.phase === 'over') return;
    let frame: SealFrame;
    try {
      frame = decodeSealFrame(bytes);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (this.phase === 'ready') this.fail(path);
      else this.break(new SealError('frame', `bad frame in the handshake: ${error.message}`, { cause: error }));
      return;
    }
    this.take(frame, path);
  }

  /** Resolves when everything sealed so far has been handed to `frame`. */
  whenSent(): Promise<void> {
    return this.leaving.whenEmpty();
  }

  /** Resolves when every packet received so far has been handed to `packet`, or dropped. */
  whenOpened(): Promise<void> {
    return this.arriving.whenEmpty();
  }

  /** Forgets everything; nothing is called any more. */
  close(): void {
    clearTimeout(this.judging);
    this.phase = 'over';
    this.keys = undefined;
    this.secret = undefined;
    this.unsealed = [];
    this.unopened = [];
  }

  private take(frame: SealFrame, path: number): void {
    const isConsole = this.options.role === 'console';
    if (isConsole && frame.kind === 'sealed' && this.phase !== 'ready') {
      // The applet seals nothing before the console has: this is of an earlier pairing, and was on its way when that ended.
    } else if (isConsole && frame.kind === 'answer' && this.phase === 'ready' && !this.opened) {
      this.events.misunderstood?.();
    } else if (this.phase === 'deriving' || this.phase === 'idle') {
      if (this.unopened.length >= 64) this.break(new SealError('frame', 'too many frames in the handshake'));
      else this.unopened.push([frame, path]);
    } else if (this.phase === 'ready') {
      if (frame.kind === 'sealed') this.open(frame.counter, frame.ciphertext, path);
      else if (frame.kind === 'keys_differ' && !this.opened) this.break(keysDiffer());
      else this.fail(path);
    } else if (this.phase === 'waiting') {
      this.run(() => this.advance(frame));
    }
  }

  private async advance(frame: SealFrame): Promise<void> {
    const secret = this.secret;
    if (secret === undefined) return;
    if (this.options.role === 'console' && frame.kind === 'answer' && this.commitment !== undefined) {
      this.phase = 'deriving';
      this.emit({ kind: 'open', key: secret.publicKey, nonce: secret.nonce });
      const [answer, open] = [frame, { key: secret.publicKey, nonce: secret.nonce }];
      await this.derive(secret, frame.key, this.commitment, answer, open);
    } else if (this.options.role === 'applet' && frame.kind === 'commit' && this.commitment === undefined) {
      this.commitment = frame.commitment;
      this.emit({ kind: 'answer', key: secret.publicKey, nonce: secret.nonce });
    } else if (this.options.role === 'applet' && frame.kind === 'open' && this.commitment !== undefined) {
      this.phase = 'deriving';
      if (!equal(await commitmentTo(frame.key, frame.nonce), this.commitment)) {
        throw new SealError('commitment', 'the console opened another key than it had committed to');
      }
      const [answer, open] = [{ key: secret.publicKey, nonce: secret.nonce }, frame];
      await this.derive(secret, frame.key, this.commitment, answer, open);
    } else {
      throw new SealError('frame', `a ${frame.kind} frame out of order in the handshake`);
    }
  }

  private async derive(
    secret: SealSecret,
    partner: Bytes,
    commitment: Bytes,
    answer: { key: Bytes; nonce: Bytes },
    open: { key: Bytes; nonce: Bytes },
  ): Promise<void> {
    const names = utf8(`${SEAL_NAME} transcript\n${LINK_NAME}\n${SESSION_NAME}\n`);
    const parts = [names, this.options.binding, commitment, answer.key, answer.nonce, open.key, open.nonce];
    const [shared, salt] = await Promise.all([agree(secret.privateKey, partner), sha256(concat(parts))]);
    const base = await crypto.subtle.importKey('raw', shared, 'HKDF', false, ['deriveBits']);
    const direction = async (info: string, use: 'encrypt' | 'decrypt'): Promise<KeyChain> =>
      KeyChain.from(new Uint8Array(await crypto.subtle.deriveBits(hkdf(salt, info), base, KEY * 8)), use);
    const isConsole = this.options.role === 'console';
    const [toApplet, toConsole, code] = await Promise.all([
      direction(`${SEAL_NAME} console to applet`, isConsole ? 'encrypt' : 'decrypt'),
      direction(`${SEAL_NAME} applet to console`, isConsole ? 'decrypt' : 'encrypt'),
      crypto.subtle.deriveBits(hkdf(salt, `${SEAL_NAME} security code`), base, 64),
    ]);
    if (this.phase !== 'deriving') return;
    this.keys = isConsole ? { sealing: toApplet, opening: toConsole } : { sealing: toConsole, opening: toApplet };
    this.secret = undefined;
    this.phase = 'ready';
    this.events.ready(securityCode(code), salt);
    this.sealWaiting();
    this.replay();
  }

  private sealWaiting(): void {
    if (!this.confirmed || this.keys === undefined) return;
    for (const [packet, path] of this.unsealed.splice(0)) this.seal(packet, path);
  }

  private replay(): void {
    for (const [frame, path] of this.unopened.splice(0)) this.take(frame, path);
  }

  private open(counter: number, ciphertext: Bytes, path: number): void {
    const keys = this.keys;
    if (keys === undefined) return;
    if (ciphertext.length < TAG) {
      this.fail(path);
      return;
    }
    const key = keys.opening.key(counter);
    const decrypt = (key: CryptoKey): Promise<ArrayBuffer> =>
      crypto.subtle.decrypt(gcm(headOf(counter)), key, ciphertext);
    const work = key instanceof CryptoKey ? decrypt(key) : Promise.resolve(key).then((key) => decrypt(needed(key)));
    this.arriving.push(
      work,
      (plaintext) => {
        if (this.phase === 'over') return;
        const standing = this.window.take(counter);
        if (standing !== 'new') {
          // With several paths a packet may come late; only twice it does not come by itself.
          if (standing === 'seen') this.events.interfered?.('repeated');
          this.events.failed?.(path);
          return;
        }
        this.failures = 0;
        this.opened = true;
        this.run(() => keys.opening.used(counter));
        if (!this.confirmed) {
          this.confirmed = true;
          this.sealWaiting();
        }
        this.events.packet(new Uint8Array(plaintext), path);
      },
      () => this.fail(path),
    );
  }

  private fail(path: number): void {
    if (this.phase === 'over') return;
    this.failures += 1;
    this.events.interfered?.('forged');
    if (this.failures >= MAX_FAILURES) {
      this.break(new SealError('failures', `${MAX_FAILURES} packets in a row did not open`));
    } else {
      // Somebody may only put a few in between; then the others open.
      if (!this.opened) this.judging ??= setTimeout(() => this.judge(), OPENS_WITHIN);
      this.events.failed?.(path);
    }
  }

  private judge(): void {
    this.judging = undefined;
    if (!this.opened && this.failures >= NEVER_OPENED) this.break(keysDiffer());
  }

  private emit(frame: SealFrame): void {
    if (this.phase !== 'over') this.events.frame(encodeSealFrame(frame), undefined);
  }

  private run(step: () => Promise<void>): void {
    step().catch((cause: unknown) => {
      this.break(
        cause instanceof SealError
          ? cause
          : new SealError('crypto', 'this browser cannot make the keys of a session', { cause }),
      );
    });
  }

  private break(error: SealError): void {
    if (this.phase === 'over') return;
    this.close();
    this.events.broken(error);
  }
}

/** Takes each counter once, in a window behind the highest seen. */
export class ReplayWindow {
  private highest = -1;
  private readonly seen = new Uint8Array(WINDOW);

  /** Whether this counter is new, which from now on it no longer is, was seen, or is too old to tell. */
  take(counter: number): 'new' | 'seen' | 'old' {
    if (counter > this.highest) {
      if (counter - this.highest >= WINDOW) this.seen.fill(0);
      else for (let at = this.highest + 1; at < counter; at += 1) this.seen[at % WINDOW] = 0;
      this.highest = counter;
    } else if (this.highest - counter >= WINDOW) {
      return 'old';
    } else if (this.seen[counter % WINDOW] === 1) {
      return 'seen';
    }
    this.seen[counter % WINDOW] = 1;
    return 'new';
  }
}

function keysDiffer(): SealError {
  return new SealError('keys', 'the other end has come to other keys: somebody in between may have changed them');
}

function needed(key: CryptoKey | undefined): CryptoKey {
  if (key === undefined) throw new RangeError('no key for this packet number');
  return key;
}

async function newSecret(): Promise<SealSecret> {
  const pair = (await crypto.subtle.generateKey({ name: 'X25519' }, false, ['deriveBits'])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  return { privateKey: pair.privateKey, publicKey, nonce: crypto.getRandomValues(new Uint8Array(KEY)) };
}

/** SHA-256 over a console's key and nonce: what it sends first. */
export function commitmentTo(key: Bytes, nonce: Bytes): Promise<Bytes> {
  return sha256(concat([utf8(`${SEAL_NAME} commitment\n`), key, nonce]));
}

async function agree(privateKey: CryptoKey, partner: Bytes): Promise<Bytes> {
  const refused = 'the partner sent a key that makes no secret';
  let shared: Bytes;
  try {
    const key = await crypto.subtle.importKey('raw', partner, { name: 'X25519' }, false, []);
    shared = new Uint8Array(await crypto.subtle.deriveBits({ name: 'X25519', public: key }, privateKey, 256));
  } catch (cause) {
    // WebCrypto itself refuses keys of small order, which are all that fail here.
    throw new SealError('zero_secret', refused, { cause });
  }
  if (shared.every((byte) => byte === 0)) throw new SealError('zero_secret', refused);
  return shared;
}

function hkdf(salt: Bytes, info: string): HkdfParams {
  return { name: 'HKDF', hash: 'SHA-256', salt, info: utf8(info) };
}

/** Kind and counter of a sealed frame: its beginning, and its additional data. */
function headOf(counter: number): Bytes {
  const head = new Uint8Array(SEALED_HEAD);
  const view = new DataView(head.buffer);
  view.setUint8(0, SEAL_KIND.sealed);
  view.setUint32(1, Math.floor(counter / 0x1_0000_0000));
  view.setUint32(5, counter >>> 0);
  return head;
}

function gcm(head: Bytes): AesGcmParams {
  const iv = new Uint8Array(12);
  iv.set(head.subarray(1), 4);
  return { name: 'AES-GCM', iv, additionalData: head, tagLength: TAG * 8 };
}

function securityCode(bits: ArrayBuffer): string {
  return (new DataView(bits).getBigUint64(0) % 1_000_000n).toString().padStart(6, '0');
}

async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

function concat(parts: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function equal(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
