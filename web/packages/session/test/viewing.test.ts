// What is shown when: with the grant and not before, whatever comes in which order.
import { expect, test } from 'vitest';
import { Zstd } from '../src/screen/zstd';
import { Viewing } from '../src/viewing';
import { type Message } from '../src/wire/message';
import { type ScreenUpdate } from '../src/wire/screen';
import { picture } from './world';

const update = (number: number, base: number): ScreenUpdate => picture(number, base) as ScreenUpdate & Message;

async function viewing(): Promise<{ it: Viewing; sent: Message[]; shown: string[]; allow: (on: boolean) => void }> {
  const [sent, shown] = [[] as Message[], [] as string[]];
  let allowed = false;
  const nothing = (): void => undefined;
  const it = new Viewing({
    surface: { resize: nothing, draw: () => shown.push('drawn'), cover: nothing, clear: () => shown.push('cleared') },
    cursor: undefined,
    allowed: () => allowed,
    send: (message) => sent.push(message),
    opened: () => shown.push('opened'),
    first: () => shown.push('first'),
    drawn: nothing,
    size: nothing,
    hopeless: () => shown.push('hopeless'),
  });
  it.ready(await Zstd.create(), undefined);
  const allow = (on: boolean): void => {
    allowed = on;
    if (on) it.granted();
    else it.withdrawn();
  };
  return { it, sent, shown, allow };
}

test('what was wanted comes with the grant, and nothing more is said', async () => {
  const { it, sent, shown, allow } = await viewing();
  it.asking();
  allow(true);
  it.update(update(1, 0));
  expect(sent).toEqual([{ kind: 'screen_wanted', monitor: 255, video: 'none' }, { kind: 'screen_seen', number: 1 }]);
  expect(shown).toEqual(['opened', 'drawn', 'first']);
  it.update(update(2, 1));
  expect(shown.slice(3)).toEqual(['drawn']);
});

test('a picture that has overtaken the word of the grant is not shown, and is asked for with it', async () => {
  const { it, sent, shown, allow } = await viewing();
  it.asking();
  it.update(update(1, 0));
  it.update(update(2, 1));
  expect([sent.length, shown]).toEqual([1, []]);
  allow(true);
  expect(sent.slice(1)).toEqual([{ kind: 'screen_resync' }]);
  // What was still under way builds on what was not kept, and needs no second word.
  it.update(update(3, 2));
  it.update(update(4, 0));
  expect(sent.slice(2)).toEqual([{ kind: 'screen_seen', number: 4 }]);
  expect(shown).toEqual(['opened', 'drawn', 'first']);
});

test('a grant that was not asked for, and one after a new pairing, open by a word of their own', async () => {
  const { it, sent, allow } = await viewing();
  allow(true);
  expect(sent.map(({ kind }) => kind)).toEqual(['screen_open']);
  allow(false);
  it.asking();
  it.startOver();
  allow(true);
  expect(sent.map(({ kind }) => kind)).toEqual(['screen_open', 'screen_wanted', 'screen_open']);
});

test('what comes after the withdrawal is not shown', async () => {
  const { it, sent, shown, allow } = await viewing();
  it.asking();
  allow(true);
  allow(false);
  it.update(update(1, 0));
  expect([sent.length, shown]).toEqual([1, ['opened', 'cleared']]);
});
