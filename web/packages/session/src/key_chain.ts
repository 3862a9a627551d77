// The keys of one direction of the seal: a chain in which each epoch's key is forgotten once the next two are in use.
// Specification: docs/protocol/seal.md. HKDF-Expand of one block is one HMAC, which is what WebCrypto can do alone.
import { type Bytes, utf8 } from './wire/codec';
import { SEAL_NAME } from './wire/seal';

/** Packets under one key. */
export const PACKETS_PER_KEY = 2 ** 16;

interface Epoch {
  chain: Bytes;
  key: CryptoKey;
}

export class KeyChain {
  private number = 0;
  private before: CryptoKey | undefined;
  private next: Promise<Epoch>;

  private constructor(
    private newest: Epoch,
    private readonly use: 'encrypt' | 'decrypt',
  ) {
    this.next = following(newest.chain, use);
    this.next.catch(() => undefined); // whoever needs the key hears of it
  }

  /** From the direction's first chain value. */
  static async from(chain: Bytes, use: 'encrypt' | 'decrypt'): Promise<KeyChain> {
    return new KeyChain(await epoch(chain, use), use);
  }

  /** The key of this packet number; undefined when it is forgotten, or too far ahead to be honest. */
  key(counter: number): CryptoKey | Promise<CryptoKey> | undefined {
    const number = Math.floor(counter / PACKETS_PER_KEY);
    if (number === this.number) return this.newest.key;
    if (number === this.number - 1) return this.before;
    if (number === this.number + 1) return this.next.then((epoch) => epoch.key);
    return undefined;
  }

  /** A packet of this number was sealed, or opened: a forged number must not come here. */
  async used(counter: number): Promise<void> {
    if (Math.floor(counter / PACKETS_PER_KEY) !== this.number + 1) return;
    const epoch = await this.next;
    // Several packets of the new epoch may have been under way at once.
    if (Math.floor(counter / PACKETS_PER_KEY) !== this.number + 1) return;
    this.before = this.newest.key;
    this.newest = epoch;
    this.number += 1;
    this.next = following(epoch.chain, this.use);
    this.next.catch(() => undefined);
  }
}

async function epoch(chain: Bytes, use: 'encrypt' | 'decrypt'): Promise<Epoch> {
  const bytes = await expand(chain, `${SEAL_NAME} key`);
  return { chain, key: await crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, [use]) };
}

async function following(chain: Bytes, use: 'encrypt' | 'decrypt'): Promise<Epoch> {
  return epoch(await expand(chain, `${SEAL_NAME} next`), use);
}

async function expand(chain: Bytes, info: string): Promise<Bytes> {
  const text = utf8(info);
  const block = new Uint8Array(text.length + 1);
  block.set(text);
  block[text.length] = 1;
  const key = await crypto.subtle.importKey('raw', chain, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, block));
}
