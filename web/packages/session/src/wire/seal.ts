// The seal's frames: three handshake messages, then sealed packets; and one that says that there is no seal to go on with. Mirrors core/wire/src/seal.rs.
import { type Bytes, Reader, unknown, Writer } from './codec';

/** Name and version, in the transcript and in the first message. */
export const SEAL_NAME = 'belay-seal/1';
export const SEAL_KIND = { commit: 0x10, answer: 0x11, open: 0x12, sealed: 0x13, unknown: 0x14, keys_differ: 0x55 } as const;
/** Bytes of kind and counter before a sealed frame's ciphertext; also its additional data. */
export const SEALED_HEAD = 9;
/** By how much a sealed frame is longer than its packet. */
export const SEALED_OVERHEAD = SEALED_HEAD + 16;

export type SealFrame =
  | { kind: 'commit'; commitment: Bytes }
  | { kind: 'answer'; key: Bytes; nonce: Bytes }
  | { kind: 'open'; key: Bytes; nonce: Bytes }
  /** `ciphertext` ends in its 16-byte tag. */
  | { kind: 'sealed'; counter: number; ciphertext: Bytes }
  /** The applet holds no seal that opens what came: the console makes a new pairing. */
  | { kind: 'unknown' }
  /** The applet's handshake has come to other keys, or broke. Anybody on the way can say so: it counts until a packet has opened. */
  | { kind: 'keys_differ' };

export function encodeSealFrame(frame: SealFrame): Bytes {
  switch (frame.kind) {
    case 'commit':
      return Writer.of(SEAL_KIND.commit).text(SEAL_NAME, 64).raw(frame.commitment).finish();
    case 'answer':
    case 'open':
      return Writer.of(SEAL_KIND[frame.kind]).raw(frame.key).raw(frame.nonce).finish();
    case 'sealed':
      return Writer.of(SEAL_KIND.sealed, SEALED_HEAD + frame.ciphertext.length)
        .u64(frame.counter)
        .raw(frame.ciphertext)
        .finish();
    case 'unknown':
    case 'keys_differ':
      return Writer.of(SEAL_KIND[frame.kind]).finish();
  }
}

/** Reads a frame; throws `WireError`. */
export function decodeSealFrame(bytes: Bytes): SealFrame {
  const r = new Reader(bytes);
  const frame = readFrame(r);
  r.finish();
  return frame;
}

function readFrame(r: Reader): SealFrame {
  const value = r.u8();
  switch (value) {
    case SEAL_KIND.commit:
      if (r.text('seal name', 64) !== SEAL_NAME) throw unknown('seal version', 0);
      return { kind: 'commit', commitment: r.take(32) };
    case SEAL_KIND.answer:
      return { kind: 'answer', key: r.take(32), nonce: r.take(32) };
    case SEAL_KIND.open:
      return { kind: 'open', key: r.take(32), nonce: r.take(32) };
    case SEAL_KIND.sealed:
      return { kind: 'sealed', counter: r.u64(), ciphertext: r.remaining() };
    case SEAL_KIND.unknown:
      return { kind: 'unknown' };
    case SEAL_KIND.keys_differ:
      return { kind: 'keys_differ' };
    default:
      throw unknown('seal frame', value);
  }
}
