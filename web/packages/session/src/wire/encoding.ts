// Bytes as text: hexadecimal, base64 and UUIDs, as the website hands them out.
import { type Bytes } from './codec';

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** Bytes of hexadecimal text; throws `RangeError` when it is none. */
export function fromHex(text: string): Bytes {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw new RangeError('not hexadecimal text');
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Number.parseInt(text.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}

/** Bytes of base64 or base64url text, padded or not; throws `RangeError` when it is neither. */
export function fromBase64(text: string): Bytes {
  let binary: string;
  try {
    binary = atob(text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, ''));
  } catch {
    throw new RangeError('not base64 text');
  }
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** `01234567-89ab-cdef-0001-020304050607` of 16 bytes. */
export function toUuid(bytes: Uint8Array): string {
  return toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The 16 bytes of a UUID; throws `RangeError` when it is none. */
export function fromUuid(text: string): Bytes {
  if (!/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(text)) {
    throw new RangeError('not an id, expected 32 hexadecimal digits as 8-4-4-4-12');
  }
  return fromHex(text.replaceAll('-', ''));
}
