// The secret of an invitation link: made in the technician's browser, carried by the link's fragment, seen by no server.
// Whoever has it proves it for the keys of this pairing. Specification: docs/protocol/seal.md, "Link secret".
import { type Bytes, utf8 } from './wire/codec';
import { fromBase64 } from './wire/encoding';
import { type Message } from './wire/message';

/** Length in bytes. */
export const LINK_SECRET = 32;

/** A new secret, base64url. */
export function newLinkSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(LINK_SECRET));
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Reads a secret; throws `RangeError` where it is none. */
export function readLinkSecret(text: string): Bytes {
  const bytes = fromBase64(text);
  if (bytes.length !== LINK_SECRET) throw new RangeError('a link secret has 32 bytes');
  return bytes;
}

/** What this side shows the other one in the pairing with this transcript. */
export async function linkProof(secret: Bytes, side: 'console' | 'applet', transcript: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign('HMAC', await keyOf(secret, 'sign'), saying(side, transcript)));
}

/** Whether that side has the secret and the keys of this pairing. */
export async function checkLinkProof(secret: Bytes, side: 'console' | 'applet', transcript: Bytes, proof: Bytes): Promise<boolean> {
  return crypto.subtle.verify('HMAC', await keyOf(secret, 'verify'), proof, saying(side, transcript));
}

function keyOf(secret: Bytes, use: 'sign' | 'verify'): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, [use]);
}

function saying(side: 'console' | 'applet', transcript: Bytes): Bytes {
  const label = utf8(`belay link proof ${side}`);
  const whole = new Uint8Array(label.length + transcript.length);
  whole.set(label);
  whole.set(transcript, label.length);
  return whole;
}

export interface LinkCheckEvents {
  send(message: Message): void;
  /** The applet of this pairing has the secret and the same keys. */
  verified(): void;
  /** It has not, although it says so: somebody sits in between. */
  tampered(): void;
}

/** A console's side of it, pairing by pairing. Without a secret it says nothing, and people compare the codes. */
export class LinkCheck {
  private transcript: Bytes | undefined;
  /** Resolves when this pairing's proof has been handed to `send`: nothing may be asked before. */
  private proving: Promise<void> = Promise.resolve();

  constructor(
    private readonly secret: Bytes | undefined,
    private readonly events: LinkCheckEvents,
  ) {}

  /** The keys of a new pairing are made. */
  begin(transcript: Bytes): void {
    this.transcript = transcript;
    const { secret } = this;
    if (secret === undefined) return;
    this.proving = linkProof(secret, 'console', transcript).then((proof) => {
      if (this.transcript === transcript) this.events.send({ kind: 'link_proof', proof });
    });
  }

  /** The pairing is over. */
  end(): void {
    this.transcript = undefined;
  }

  /** Acts once the proof is said; at once where there is none to say. */
  afterProof(act: () => void): void {
    if (this.secret === undefined) act();
    else void this.proving.then(act);
  }

  /** The applet has shown its own proof. */
  async answered(proof: Bytes): Promise<void> {
    const { secret, transcript } = this;
    // Nobody was asked: it proves nothing to us.
    if (secret === undefined || transcript === undefined) return;
    const right = await checkLinkProof(secret, 'applet', transcript, proof);
    if (this.transcript !== transcript) return;
    if (right) this.events.verified();
    else this.events.tampered();
  }
}
