// What the console needs to know of its own charter. The applet is who checks it. Specification: docs/protocol/charter.md.
import { type Bytes } from './wire/codec';
import { fromBase64, fromUuid } from './wire/encoding';
import { type Right, RIGHTS } from './wire/right';

export interface Charter {
  document: Bytes;
  signature: Bytes;
  /** UUID. */
  account: string;
  rights: Right[];
  singlePrompt: boolean;
}

/** Reads a charter as the website hands it out, base64; throws `RangeError` when it is none. */
export function readCharter(encoded: { document: string; signature: string }): Charter {
  const document = fromBase64(encoded.document);
  const signature = fromBase64(encoded.signature);
  if (signature.length !== 64) throw new RangeError('the charter has no signature of 64 bytes');
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(document));
  } catch (cause) {
    throw new RangeError('the charter is not JSON', { cause });
  }
  const { account, rights, single_prompt } = content as {
    account?: { id?: unknown };
    rights?: unknown;
    single_prompt?: unknown;
  };
  if (typeof account?.id !== 'string') throw new RangeError('the charter names no account');
  fromUuid(account.id);
  if (!Array.isArray(rights)) throw new RangeError('the charter names no rights');
  return {
    document,
    signature,
    account: account.id,
    rights: RIGHTS.filter((right) => rights.includes(right)),
    singlePrompt: single_prompt === true,
  };
}
