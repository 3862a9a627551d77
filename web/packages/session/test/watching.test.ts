// How the picture runs: who watches is told once a second what really happened, and the applet only tells while somebody watches.
import { afterEach, expect, test, vi } from 'vitest';
import { type ScreenReport, Watching } from '../src/watching';
import { type Message } from '../src/wire/message';
import { type Stage } from '../src/wire/screen';
import { closeAll, connected, granted, picture, until } from './world';

afterEach(() => {
  vi.useRealTimers();
  closeAll();
});

const stage = (mean: number): Stage => ({ mean, longest: mean });

function watched() {
  vi.useFakeTimers();
  const sent: Message[] = [];
  const facts = { received: 0, films: 0 };
  const path = { kind: 'relay', roundTrip: 3, loss: 0 } as ScreenReport['path'];
  const watching = new Watching({
    path: () => path,
    received: () => facts.received,
    films: () => facts.films,
    send: (message) => sent.push(message),
  });
  return { watching, sent, facts };
}

test('reports count what was drawn and received since the last one', () => {
  const { watching, sent, facts } = watched();
  const reports: ScreenReport[] = [];
  watching.drawn(9, 9);
  const end = watching.add((report) => reports.push(report));
  expect(sent).toEqual([{ kind: 'screen_watch', on: true }]);
  watching.drawn(1, 2);
  watching.drawn(3, 4);
  facts.received = 5000;
  facts.films = 1;
  watching.heard({ captures: 2, wait: stage(100), capture: stage(200), encode: stage(1500), send: stage(50) });
  vi.advanceTimersByTime(1000);
  expect(reports).toMatchObject([
    { fps: 2, bytesPerSecond: 5000, decode: 2, draw: 3, films: 1, path: { kind: 'relay' }, applet: { wait: 0.1, capture: 0.2, encode: 1.5, send: 0.05 } },
  ]);
  vi.advanceTimersByTime(4000);
  expect(reports.at(-1)).toMatchObject({ fps: 0, bytesPerSecond: 0, decode: undefined, draw: undefined, applet: undefined });
  end();
  end();
  expect(sent).toEqual([{ kind: 'screen_watch', on: true }, { kind: 'screen_watch', on: false }]);
  vi.advanceTimersByTime(4000);
  expect(reports).toHaveLength(5);
});

test('two may watch, and a new pairing, which counts from nothing, is no negative rate', () => {
  const { watching, sent, facts } = watched();
  const [one, two]: [ScreenReport[], ScreenReport[]] = [[], []];
  facts.received = 9000;
  const endOne = watching.add((report) => one.push(report));
  watching.add((report) => two.push(report));
  watching.opened();
  expect(sent.map((message) => message.kind)).toEqual(['screen_watch', 'screen_watch']);
  facts.received = 10;
  vi.advanceTimersByTime(1000);
  endOne();
  vi.advanceTimersByTime(1000);
  expect([one.length, two.length]).toEqual([1, 2]);
  expect(two[0]!.bytesPerSecond).toBe(0);
  watching.close();
  vi.advanceTimersByTime(5000);
  expect(two).toHaveLength(2);
});

test('a session asks its applet again with each opening, and tells what was drawn', async () => {
  const world = await connected();
  const { applet, session } = world;
  await granted(world, ['desktop_view']);
  await applet.take('screen_wanted');
  expect(applet.got.filter(({ kind }) => kind === 'screen_watch')).toEqual([]);
  const reports: ScreenReport[] = [];
  const end = session.watchScreen((report) => reports.push(report));
  expect((await applet.take('screen_watch')).on).toBe(true);
  session.selectMonitor(0);
  await applet.take('screen_open');
  expect((await applet.take('screen_watch')).on).toBe(true);
  applet.send(picture(1, 0));
  applet.send({ kind: 'screen_timings', captures: 1, wait: stage(0), capture: stage(300), encode: stage(700), send: stage(90) });
  await until(() => reports.some(({ fps }) => fps > 0), 'a picture');
  const report = reports.find(({ fps }) => fps > 0)!;
  expect(report.applet).toEqual({ wait: 0, capture: 0.3, encode: 0.7, send: 0.09 });
  expect(report.bytesPerSecond).toBeGreaterThan(50);
  expect(report.decode).toBeGreaterThanOrEqual(0);
  end();
  expect((await applet.take('screen_watch')).on).toBe(false);
});
