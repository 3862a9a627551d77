// What people paste, what links carry, which computer they sit at.
import { describe, expect, test } from 'vitest';
import { parseKept } from '../src/kept';
import { extension, fileNameOf } from '../src/download';
import { invitationOf } from '../src/link';
import { pinDigits, pinShown } from '../src/pin';
import { detect } from '../src/platform';

test.each([
  ['123456', '123456'],
  [' 123 456 ', '123456'],
  ['PIN: 123-456', '123456'],
  ['1234567', '123456'],
  ['12a', '12'],
  ['', ''],
])('of %j the PIN is %j', (typed, digits) => {
  expect(pinDigits(typed)).toBe(digits);
});

test('a PIN is shown in two groups', () => {
  expect([pinShown('12'), pinShown('123'), pinShown('1234'), pinShown('123456')]).toEqual(['12', '123', '123 4', '123 456']);
});

test('only what looks like a token is taken from a link', () => {
  const token = 'A'.repeat(22) + '-_9';
  expect(invitationOf(`#${token}`)).toEqual({ token });
  expect(invitationOf('#')).toBeUndefined();
  expect(invitationOf('#short')).toBeUndefined();
  expect(invitationOf(`#${token}<script>`)).toBeUndefined();
});

test('the secret of a link follows its token, whole or not at all', () => {
  const [token, secret] = ['A'.repeat(22), `${'b-_'.repeat(14)}c`];
  expect(invitationOf(`#${token}.${secret}`)).toEqual({ token, secret });
  expect(invitationOf(`#${token}.${secret.slice(1)}`)).toEqual({ token });
  expect(invitationOf(`#${token}.`)).toEqual({ token });
  expect(invitationOf(`#.${secret}`)).toBeUndefined();
});

test('the secret goes behind a tagged program, and behind nothing else', () => {
  const mark = (text: string): number[] => [...Buffer.from(text), ...new Uint8Array(16 - text.length)];
  const secret = Buffer.alloc(32, 7).toString('base64url');
  const tagged = Uint8Array.from(mark('belay-tag/1'));
  expect([...extension(tagged, secret)!]).toEqual([...new Uint8Array(32).fill(7), ...mark('belay-secret/1')]);
  expect(extension(Uint8Array.from(mark('belay-tag/2')), secret)).toBeUndefined();
  expect(extension(tagged.subarray(1), secret)).toBeUndefined();
  expect(extension(tagged, 'c2hvcnQ')).toBeUndefined();
});

test('the file keeps the name that the server gives it, and no path', () => {
  expect(fileNameOf('attachment; filename="belay-support"')).toBe('belay-support');
  expect(fileNameOf('attachment; filename="../x"')).toBe('belay-support');
  expect(fileNameOf(null)).toBe('belay-support');
});

test('a reload brings back a join that still lives, and nothing else', () => {
  const kept = { ticket: { company: 'Example GmbH', technician: 'Tess Example', join_token: 'x', platforms: [] }, name: 'Ada', until: 1000 };
  expect(parseKept(JSON.stringify(kept), 999)).toEqual(kept);
  expect(parseKept(JSON.stringify(kept), 1000)).toBeUndefined();
  expect(parseKept(JSON.stringify({ ...kept, ticket: { ...kept.ticket, join_token: undefined } }), 0)).toBeUndefined();
});

describe('the computer is told from the browser', () => {
  const agent = (system: string): string => `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36`;
  test.each([
    ['X11; Linux x86_64', 'Linux x86_64', 0, { kind: 'computer', platform: 'linux-x86_64', foreignProcessor: false }],
    ['X11; Linux aarch64', 'Linux aarch64', 0, { kind: 'computer', platform: 'linux-x86_64', foreignProcessor: true }],
    ['Windows NT 10.0; Win64; x64', 'Win32', 10, { kind: 'computer', platform: 'windows-x86_64', foreignProcessor: false }],
    ['Macintosh; Intel Mac OS X 10_15_7', 'MacIntel', 0, { kind: 'computer', platform: 'macos', foreignProcessor: false }],
    ['Macintosh; Intel Mac OS X 10_15_7', 'MacIntel', 5, { kind: 'phone' }],
    ['Linux; Android 9; moto g', 'Linux armv8l', 5, { kind: 'phone' }],
    ['iPhone; CPU iPhone OS 15_0 like Mac OS X', 'iPhone', 5, { kind: 'phone' }],
    ['X11; CrOS x86_64 14541.0.0', 'Linux x86_64', 0, { kind: 'unknown' }],
  ])('%s', (system, platform, touchPoints, expected) => {
    expect(detect({ userAgent: agent(system), platform, touchPoints })).toEqual(expected);
  });
});
